// Speed of products by bf16 tiles beside those of int8 in one and two terms on the same packed
// weights.
//   bench_linear_bf16 [format] [n_threads] [megabytes of weights]
// Runs of the three kinds take turns. Work on a core's other hardware thread more than halves the
// rate of tiles, and on a virtual machine that work may be anyone's: so the median is printed, and
// the best of twenty in parentheses, which is about what a core of one's own gives.
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
};

// Copies of one packed matrix, enough to fill weight_bytes.
struct Copies {
  Aligned<std::byte> memory;
  std::vector<PackedMatrix> matrices;

  Copies(const Setup& setup, int64_t n_out, int64_t n_in) {
    const auto w = testing_support::random_matrix(setup.format->dtype, n_out, n_in, 1);
    const int64_t bytes = packed_bytes(*setup.format, n_out, n_in);
    const int64_t n = std::max<int64_t>(1, setup.weight_bytes / bytes);
    memory = Aligned<std::byte>(n * bytes + 65536);
    pack(w.matrix, 0, (n_out + kPanelRows - 1) / kPanelRows, memory.data());
    for (int64_t i = 0; i < n; ++i) {
      std::byte* at = memory.data() + i * bytes;
      if (i) std::memcpy(at, memory.data(), bytes);
      matrices.push_back({layout_of(*setup.format),
                          setup.format->integer,
                          n_out,
                          n_in,
                          {at, static_cast<size_t>(bytes)}});
    }
  }
};

// GOP/s of the run at this place among all, the fastest first.
double gops_at(double place, double ops, std::vector<double>& times) {
  const auto at = times.begin() + static_cast<int64_t>(place * static_cast<double>(times.size()));
  std::nth_element(times.begin(), at, times.end());
  return 1e-9 * ops / *at;
}

// Every call takes another matrix, its panels shared by the threads.
template <class F>
double timed(const Setup& setup, const PackedMatrix& w, F multiply) {
  const auto start = Clock::now();
  setup.pool->run([&](int thread, int n) {
    multiply(thread, w.n_panels() * thread / n, w.n_panels() * (thread + 1) / n);
  });
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double peak_gflops(const Setup& setup) {
  double best = 0;
  for (int run = 0; run < 20; ++run) {
    std::vector<double> rate(setup.pool->n_threads());
    setup.pool->run([&](int thread, int) {
      const auto start = Clock::now();
      const auto ops = static_cast<double>(setup.kernels->probe.bf16_dots(20000));
      rate[thread] = 1e-9 * ops / std::chrono::duration<double>(Clock::now() - start).count();
    });
    double sum = 0;
    for (const double r : rate) sum += r;
    best = std::max(best, sum);
  }
  return best;
}

void measure(const Setup& setup, const Copies& copies, int n_rows, double peak) {
  const PackedMatrix& first = copies.matrices.front();
  const int64_t n_in = first.n_in, stride = activation_bytes(n_in);
  const int64_t out_stride = first.n_panels() * kPanelRows;
  const LinearKernels& linear = setup.kernels->linear;
  const Bf16Kernels& bf16 = *setup.kernels->bf16_linear;
  const auto x = testing_support::random_rows(n_rows, n_in, 2);
  Aligned<std::byte> rounded(n_rows * stride), codes(n_rows * stride), pairs(n_rows * 2 * stride);
  for (int row = 0; row < n_rows; ++row) {
    const float* from = x.data() + row * n_in;
    bf16.round_row(from, n_in, rounded.data() + row * stride);
    linear.quantize_row(from, n_in, RowForm::one_term, codes.data() + row * stride);
    linear.quantize_row(from, n_in, RowForm::two_terms, pairs.data() + row * 2 * stride);
  }
  Aligned<float> out(n_rows * out_stride);
  const Epilogue epilogue{.out = out.data(), .out_stride = out_stride};
  const int64_t scratch_bytes = (bf16.scratch_bytes(n_in, n_rows) + 4095) / 4096 * 4096;
  Aligned<std::byte> scratch(scratch_bytes * setup.pool->n_threads());
  std::vector<double> times[3];
  const auto begin = Clock::now();
  for (size_t i = 0; i < 5 || Clock::now() - begin < std::chrono::milliseconds(1000); ++i) {
    const PackedMatrix& w = copies.matrices[i % copies.matrices.size()];
    times[0].push_back(timed(setup, w, [&](int thread, int64_t from, int64_t to) {
      bf16.multiply(w, rounded.data(), stride, n_rows, from, to, epilogue,
                    scratch.data() + thread * scratch_bytes);
    }));
    for (const int terms : {1, 2}) {
      const std::byte* records = terms == 1 ? codes.data() : pairs.data();
      times[terms].push_back(timed(setup, w, [&](int, int64_t from, int64_t to) {
        linear.multiply_quantized(w, records, terms * stride, n_rows, terms, from, to, epilogue);
      }));
    }
  }
  const double ops = 2.0 * n_rows * static_cast<double>(first.n_out * n_in);
  std::printf("%-6s %5lld x %-5lld %4d rows", info(setup.format->dtype).name.data(),
              static_cast<long long>(first.n_out), static_cast<long long>(n_in), n_rows);
  for (std::vector<double>& t : times) {
    std::printf(" | %6.0f (%6.0f)", gops_at(0.5, ops, t), gops_at(0.05, ops, t));
  }
  std::printf(" | %2.0f (%2.0f) %% of peak\n", 100 * gops_at(0.5, ops, times[0]) / peak,
              100 * gops_at(0.05, ops, times[0]) / peak);
}

int run(std::string_view format, int n_threads, int64_t megabytes) {
  auto pool = ThreadPool::start(n_threads);
  const Kernels& kernels = best_kernels(detect_cpu_features());
  const Format* found = nullptr;
  for (const Format* f : formats()) {
    if (info(f->dtype).name == format && f->integer.group) found = f;
  }
  if (!pool || !found || !kernels.bf16_linear) {
    std::fprintf(stderr, "no tiles here, or no such format or number of threads\n");
    return 1;
  }
  const Setup setup{&kernels, found, pool->get(), megabytes << 20};
  const double peak = peak_gflops(setup);
  std::printf(
      "bf16 tile peak %.0f GFLOP/s on %d threads. GOP/s: bf16 tiles | int8 in one term | in "
      "two terms\n",
      peak, n_threads);
  const bool large = info(found->dtype).block > 32;
  for (const auto& [n_out, n_in] :
       {std::pair{1536, large ? 512 : 576}, {2048, 8192}, {8192, 2048}}) {
    const Copies copies(setup, n_out, n_in);
    for (const int n_rows : {4, 8, 16, 32, 64, 128, 512}) measure(setup, copies, n_rows, peak);
  }
  return 0;
}

}  // namespace
}  // namespace quern::cpu

int main(int argc, char** argv) {
  const auto argument = [&](int i, const char* otherwise) {
    return argc > i ? argv[i] : otherwise;
  };
  return quern::cpu::run(argument(1, "q4_0"), std::atoi(argument(2, "1")),
                         std::atoi(argument(3, "100")));
}
