// Speed of the kernels that work on one row of activations, in the first cache:
//
//   KERNEL/ISA/width:N
//
// Mnumbers/s: numbers of the row per second.
#include "backend/cpu/bench/bench.h"

#include "backend/cpu/test_matrix.h"

namespace quern::cpu::bench {
namespace {

using testing_support::Aligned;

// A row, a second one, a result, room for quantized records, and an angle.
struct Rows {
  explicit Rows(int64_t n)
      : n(n),
        x(testing_support::random_rows(1, n, 1)),
        y(testing_support::random_rows(1, n, 2)),
        out(n),
        records(2 * activation_bytes(n)) {}
  int64_t n;
  std::vector<float> x, y;
  Aligned<float> out;
  Aligned<std::byte> records;
  std::vector<float> cosine = std::vector<float>(32, 0.8f), sine = std::vector<float>(32, 0.6f);
};

struct Kernel {
  const char* name;
  void (*run)(const Kernels&, Rows&);
};
constexpr Kernel kKernels[] = {
    {"quantize_one",
     [](const Kernels& k, Rows& r) {
       k.linear.quantize_row(r.x.data(), r.n, RowForm::int8, r.records.data());
     }},
    {"quantize_two",
     [](const Kernels& k, Rows& r) {
       k.linear.quantize_row(r.x.data(), r.n, RowForm::int8_residual, r.records.data());
     }},
    {"rms_norm",
     [](const Kernels& k, Rows& r) {
       k.rows.rms_norm(r.x.data(), r.y.data(), 1e-5f, r.n, r.out.data());
     }},
    {"swiglu",
     [](const Kernels& k, Rows& r) { k.rows.swiglu(r.x.data(), r.y.data(), r.n, r.out.data()); }},
    {"relu2glu",
     [](const Kernels& k, Rows& r) { k.rows.relu2glu(r.x.data(), r.y.data(), r.n, r.out.data()); }},
    {"round_int8",
     [](const Kernels& k, Rows& r) { k.rows.round_int8(r.x.data(), r.n, r.out.data()); }},
    {"add", [](const Kernels& k, Rows& r) { k.rows.add(r.x.data(), r.n, r.out.data()); }},
    {"rope_halves",
     [](const Kernels& k, Rows& r) {
       k.rows.rope(r.out.data(), static_cast<int>(r.n / 64), 64, 64, false, r.cosine.data(),
                   r.sine.data());
     }},
    {"rope_pairs",
     [](const Kernels& k, Rows& r) {
       k.rows.rope(r.out.data(), static_cast<int>(r.n / 64), 64, 64, true, r.cosine.data(),
                   r.sine.data());
     }},
};

void measure(benchmark::State& state, const Kernels& kernels, const Kernel& kernel, int64_t n) {
  Rows rows(n);
  const double seconds = loop(state, [&] {
    kernel.run(kernels, rows);
    benchmark::ClobberMemory();
  });
  state.counters["Mnumbers/s"] = 1e-6 * static_cast<double>(n) / seconds;
}

}  // namespace
}  // namespace quern::cpu::bench

int main(int argc, char** argv) {
  using namespace quern::cpu;
  for (const bench::Kernel& kernel : bench::kKernels)
    for (const Kernels* kernels : bench::supported_kernels())
      for (const int64_t n : {576, 1536, 2048, 8192})
        bench::add(std::string(kernel.name) + "/" + std::string(kernels->isa) +
                       "/width:" + std::to_string(n),
                   [&kernel, kernels, n](benchmark::State& state) {
                     bench::measure(state, *kernels, kernel, n);
                   });
  const std::string isa(best_kernels(quern::detect_cpu_features()).isa);
  return bench::run(argc, argv, "/" + isa + "/");
}
