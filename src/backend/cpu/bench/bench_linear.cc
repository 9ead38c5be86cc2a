// Speed of the products: rows x (n_out, n_in) of a weight format, and of packing weights.
//
//   linear/ISA/FORMAT/KIND/OUTxIN/rows:N/threads:N     pack/FORMAT
//
// KIND: one (int8 activations), two (int8 plus int8 residual), bf16 (tiles), float (f32, for
// formats packed as numbers). Up to 64 rows go through 256 MB of copies of the matrix, so that
// weights come from memory as in a model. GOP/s: two per product; of_int8: over the int8 peak
// probed around it; GB/s: of packed weights.
#include "backend/cpu/bench/bench.h"

#include <algorithm>
#include <string_view>

#include "backend/cpu/test_matrix.h"

namespace quern::cpu::bench {
namespace {

using testing_support::Aligned;
constexpr int64_t kWeightBytes = int64_t{256} << 20;

struct Product {
  const Kernels* kernels;
  const Format* format;
  std::string_view kind;
  int64_t n_out, n_in;
  int n_rows, n_threads;
};

// Copies of one packed matrix. The last one asked for is kept: neighbours in the list share it.
struct Copies {
  const Format* format = nullptr;
  int64_t n_out = 0, n_in = 0;
  Aligned<std::byte> memory;
  std::vector<PackedMatrix> matrices;
};

const Copies& copies_of(const Product& p) {
  static Copies kept;
  if (kept.format == p.format && kept.n_out == p.n_out && kept.n_in == p.n_in) return kept;
  kept = {};
  const auto w = testing_support::random_matrix(p.format->dtype, p.n_out, p.n_in, 1);
  const int64_t bytes = packed_bytes(*p.format, p.n_out, p.n_in);
  const int64_t n = std::max<int64_t>(1, kWeightBytes / bytes);
  kept = {p.format, p.n_out, p.n_in, Aligned<std::byte>(n * bytes + 65536), {}};
  pack(w.matrix, 0, (p.n_out + kPanelRows - 1) / kPanelRows, kept.memory.data());
  for (int64_t i = 0; i < n; ++i) {
    std::byte* at = kept.memory.data() + i * bytes;
    if (i > 0) std::memcpy(at, kept.memory.data(), static_cast<size_t>(bytes));
    kept.matrices.push_back({layout_of(*p.format),
                             p.format->integer,
                             p.n_out,
                             p.n_in,
                             {at, static_cast<size_t>(bytes)}});
  }
  return kept;
}

// Activations of n_rows rows as the kind reads them.
struct Activations {
  std::vector<float> x;
  int64_t stride;  // bytes of a record
  Aligned<std::byte> records;
};

Activations activations_of(const Product& p) {
  Activations a{testing_support::random_rows(p.n_rows, p.n_in, 2), activation_bytes(p.n_in), {}};
  if (p.kind == "two") a.stride *= 2;
  if (p.kind == "bf16" && a.stride / 64 % 2 == 0) a.stride += 64;
  a.records = Aligned<std::byte>(p.n_rows * a.stride);
  for (int row = 0; row < p.n_rows; ++row) {
    const float* x = a.x.data() + row * p.n_in;
    std::byte* record = a.records.data() + row * a.stride;
    if (p.kind == "bf16") {
      p.kernels->bf16_linear->round_row(x, p.n_in, record);
    } else if (p.kind != "float") {
      p.kernels->linear.quantize_row(
          x, p.n_in, p.kind == "two" ? RowForm::int8_residual : RowForm::int8, record);
    }
  }
  return a;
}

void multiply(const Product& p, const PackedMatrix& w, const Activations& a, int64_t first,
              int64_t last, const Epilogue& epilogue, std::byte* scratch) {
  if (p.kind == "bf16") {
    p.kernels->bf16_linear->multiply(w, a.records.data(), a.stride, p.n_rows, first, last, epilogue,
                                     scratch);
  } else if (p.kind == "float") {
    p.kernels->linear.multiply_float(w, a.x.data(), p.n_in, p.n_rows, first, last, epilogue);
  } else {
    p.kernels->linear.multiply_quantized(w, a.records.data(), a.stride, p.n_rows,
                                         p.kind == "two" ? 2 : 1, first, last, epilogue);
  }
}

void measure(benchmark::State& state, const Product& p) {
  const Copies& copies = copies_of(p);
  const Activations a = activations_of(p);
  const int64_t out_stride = copies.matrices[0].n_panels() * kPanelRows;
  Aligned<float> out(p.n_rows * out_stride);
  const int64_t scratch_bytes =
      p.kind == "bf16" ? (p.kernels->bf16_linear->scratch_bytes(p.n_in, p.n_rows) + 63) / 64 * 64
                       : 0;
  Aligned<std::byte> scratch(scratch_bytes * p.n_threads);
  const size_t n_matrices = p.n_rows > 64 ? 1 : copies.matrices.size();  // one is work enough
  Team& on = team(p.n_threads);
  double peak = on.probe->int8_gops(0.015);
  const double seconds = loop(state, [&] {
    on.pool->run([&](int thread, int n_threads) {
      for (size_t i = 0; i < n_matrices; ++i) {
        const PackedMatrix& w = copies.matrices[i];
        multiply(p, w, a, w.n_panels() * thread / n_threads,
                 w.n_panels() * (thread + 1) / n_threads,
                 Epilogue{.out = out.data(), .out_stride = out_stride},
                 scratch.data() + scratch_bytes * thread);
      }
    });
  });
  peak = (peak + on.probe->int8_gops(0.015)) / 2;
  const auto n = static_cast<double>(n_matrices);
  const double gops = 2e-9 * n * p.n_rows * static_cast<double>(p.n_out * p.n_in) / seconds;
  state.counters["GOP/s"] = gops;
  state.counters["of_int8"] = gops / peak;
  state.counters["GB/s"] = 1e-9 * n * static_cast<double>(copies.matrices[0].data.size()) / seconds;
}

void measure_packing(benchmark::State& state, const Format* format) {
  constexpr int64_t kSize = 1536;
  const auto w = testing_support::random_matrix(format->dtype, kSize, kSize, 1);
  Aligned<std::byte> packed(packed_bytes(*format, kSize, kSize));
  const double seconds = loop(state, [&] { pack(w.matrix, 0, kSize / kPanelRows, packed.data()); });
  state.counters["Mweights/s"] = 1e-6 * kSize * kSize / seconds;
}

std::vector<std::string_view> kinds_of(const Kernels& kernels, const Format& format) {
  std::vector<std::string_view> kinds;
  if (format.integer.group > 0) kinds = {"one", "two"};
  if (format.integer.group == 0) kinds = {"float"};
  if (kernels.bf16_linear) kinds.push_back("bf16");
  return kinds;
}

void add_products(const Kernels& kernels, const Format& format) {
  // The default model's, with inputs that whole blocks fill, and one of larger models.
  const int64_t narrow = info(format.dtype).block > 32 ? 512 : 576;
  const std::pair<int64_t, int64_t> shapes[] = {{1536, narrow}, {576, 1536}, {4096, 4096}};
  for (const auto& [n_out, n_in] : shapes) {
    if (matrix_bytes(format.dtype, n_out, n_in) < 0) continue;
    for (const std::string_view kind : kinds_of(kernels, format))
      for (const int n_rows : {1, 2, 4, 8, 16, 32, 64, 128, 512})
        for (const int n_threads : thread_counts()) {
          const Product p{&kernels, &format, kind, n_out, n_in, n_rows, n_threads};
          std::string name =
              "linear/" + std::string(kernels.isa) + "/" + std::string(info(format.dtype).name) +
              "/" + std::string(kind) + "/" + std::to_string(n_out) + "x" + std::to_string(n_in) +
              "/rows:" + std::to_string(n_rows) + "/threads:" + std::to_string(n_threads);
          add(name, [p](benchmark::State& state) { measure(state, p); });
        }
  }
}

}  // namespace
}  // namespace quern::cpu::bench

int main(int argc, char** argv) {
  using namespace quern;
  for (const cpu::Kernels* kernels : cpu::bench::supported_kernels())
    for (const Format* format : formats()) cpu::bench::add_products(*kernels, *format);
  for (const Format* format : formats())
    if (matrix_bytes(format->dtype, 1536, 1536) >= 0)
      cpu::bench::add("pack/" + std::string(info(format->dtype).name),
                      [format](benchmark::State& s) { cpu::bench::measure_packing(s, format); });
  const std::string isa(cpu::best_kernels(detect_cpu_features()).isa);
  return cpu::bench::run(argc, argv, "^linear/" + isa + "/q4_0/one/4096x4096/");
}
