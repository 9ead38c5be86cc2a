// Speed of the linear kernels: rows x (n_out, n_in) products of a format, weights beyond the
// caches.
//   bench_linear [isa] [format] [n_threads] [megabytes of weights]
// Prints GOP/s (two per product), the share of the measured int8 peak, and GB/s of packed weights.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/test_matrix.h"
#include "base/cpu_features.h"
#include "base/thread_pool.h"

namespace quern::cpu {
namespace {

using Clock = std::chrono::steady_clock;
using testing_support::Aligned;

struct Setup {
  const Kernels* kernels;
  const Format* format;
  ThreadPool* pool;
  int64_t weight_bytes;
  double peak_gops;
};

// Copies of one packed matrix, enough to fill weight_bytes.
struct Copies {
  Aligned<std::byte> memory;
  std::vector<PackedMatrix> matrices;
};

Copies make_copies(const Setup& setup, int64_t n_out, int64_t n_in) {
  const auto w = testing_support::random_matrix(setup.format->dtype, n_out, n_in, 1);
  const int64_t bytes = packed_bytes(*setup.format, n_out, n_in);
  const int64_t n = std::max<int64_t>(1, setup.weight_bytes / bytes);
  Copies copies;
  copies.memory = Aligned<std::byte>(n * bytes + 65536);
  for (int64_t i = 0; i < n; ++i) {
    std::byte* at = copies.memory.data() + i * bytes;
    if (i == 0) {
      pack(w.matrix, 0, (n_out + kPanelRows - 1) / kPanelRows, at);
    } else {
      std::memcpy(at, copies.memory.data(), bytes);
    }
    copies.matrices.push_back({layout_of(*setup.format),
                               setup.format->integer,
                               n_out,
                               n_in,
                               {at, static_cast<size_t>(bytes)}});
  }
  return copies;
}

void measure(const Setup& setup, const Copies& copies, int n_rows) {
  const PackedMatrix& first = copies.matrices.front();
  const int64_t stride = activation_bytes(first.n_in), out_stride = first.n_panels() * kPanelRows;
  Aligned<std::byte> records(n_rows * stride);
  Aligned<float> out(n_rows * out_stride);
  const auto x = testing_support::random_rows(n_rows, first.n_in, 2);
  for (int row = 0; row < n_rows; ++row) {
    setup.kernels->linear.quantize_row(x.data() + row * first.n_in, first.n_in, RowForm::one_term,
                                       records.data() + row * stride);
  }
  std::vector<double> times;
  const auto begin = Clock::now();
  while (times.size() < 3 || (Clock::now() - begin < std::chrono::milliseconds(150))) {
    const auto start = Clock::now();
    setup.pool->run([&](int thread, int n_threads) {
      for (const PackedMatrix& w : copies.matrices) {
        setup.kernels->linear.multiply_quantized(
            w, records.data(), stride, n_rows, 1, w.n_panels() * thread / n_threads,
            w.n_panels() * (thread + 1) / n_threads,
            Epilogue{.out = out.data(), .out_stride = out_stride});
        if (n_rows > 64) break;  // one matrix is work enough
      }
    });
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 4, times.end());
  const double n_matrices = n_rows > 64 ? 1 : static_cast<double>(copies.matrices.size());
  const double time = times[times.size() / 4] / n_matrices;
  const double gops = 2e-9 * n_rows * static_cast<double>(first.n_out * first.n_in) / time;
  std::printf("%-10s %-6s %5lld x %-5lld %4d rows %8.1f GOP/s %5.1f %% of peak %6.1f GB/s\n",
              setup.kernels->isa.data(), info(setup.format->dtype).name.data(),
              static_cast<long long>(first.n_out), static_cast<long long>(first.n_in), n_rows, gops,
              100 * gops / setup.peak_gops, 1e-9 * static_cast<double>(first.data.size()) / time);
}

double peak_gops(const Setup& setup) {
  double best = 0;
  for (int run = 0; run < 20; ++run) {
    std::vector<double> rate(setup.pool->n_threads());
    setup.pool->run([&](int thread, int) {
      const auto start = Clock::now();
      const auto ops = static_cast<double>(setup.kernels->probe.int8_dots(200000));
      rate[thread] = 1e-9 * ops / std::chrono::duration<double>(Clock::now() - start).count();
    });
    double sum = 0;
    for (const double r : rate) sum += r;
    best = std::max(best, sum);
  }
  return best;
}

// One matrix of the file's bytes into packed panels, and activation rows into records.
void measure_preparation(const Setup& setup, int64_t n_out, int64_t n_in) {
  const auto w = testing_support::random_matrix(setup.format->dtype, n_out, n_in, 1);
  Aligned<std::byte> packed(packed_bytes(*setup.format, n_out, n_in));
  const auto x = testing_support::random_rows(64, n_in, 2);
  Aligned<std::byte> records(64 * activation_bytes(n_in));
  double pack_time = 1, quantize_time = 1;
  for (int run = 0; run < 5; ++run) {
    auto start = Clock::now();
    pack(w.matrix, 0, (n_out + kPanelRows - 1) / kPanelRows, packed.data());
    pack_time = std::min(pack_time, std::chrono::duration<double>(Clock::now() - start).count());
    start = Clock::now();
    for (int row = 0; row < 64; ++row) {
      setup.kernels->linear.quantize_row(x.data() + row * n_in, n_in, RowForm::one_term,
                                         records.data() + row * activation_bytes(n_in));
    }
    quantize_time =
        std::min(quantize_time, std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::printf("pack %.0f million weights/s, quantize %.0f million activations/s (one thread)\n",
              1e-6 * static_cast<double>(n_out * n_in) / pack_time,
              1e-6 * static_cast<double>(64 * n_in) / quantize_time);
}

int run(std::string_view isa, std::string_view format, int n_threads, int64_t megabytes) {
  auto pool = ThreadPool::start(n_threads);
  const Kernels* kernels = find_kernels(isa, detect_cpu_features());
  const Format* found = nullptr;
  for (const Format* f : formats()) {
    if (info(f->dtype).name == format && f->integer.group) found = f;
  }
  if (!pool || !kernels || !found) {
    std::fprintf(stderr, "no such instruction set here, format, or number of threads\n");
    return 1;
  }
  Setup setup{kernels, found, pool->get(), megabytes << 20, 0};
  setup.peak_gops = peak_gops(setup);
  std::printf("int8 peak %.0f GOP/s on %d threads\n", setup.peak_gops, n_threads);
  measure_preparation(setup, 1536, 1536);
  const bool large = info(found->dtype).block > 32;
  for (const auto& [n_out, n_in] :
       {std::pair{1536, large ? 512 : 576}, {576, 1536}, {4096, 4096}}) {
    const Copies copies = make_copies(setup, n_out, n_in);
    for (const int n_rows : {1, 2, 4, 8, 16, 32, 64, 512}) measure(setup, copies, n_rows);
  }
  return 0;
}

}  // namespace
}  // namespace quern::cpu

int main(int argc, char** argv) {
  const auto argument = [&](int i, const char* otherwise) {
    return argc > i ? argv[i] : otherwise;
  };
  return quern::cpu::run(argument(1, "avx512vnni"), argument(2, "q4_1"),
                         std::atoi(argument(3, "1")), std::atoi(argument(4, "256")));
}
