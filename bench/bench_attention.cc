// Speed of the attention kernels: us per token of one layer, and the share of the f32 fma peak of
// this processor (measured beside it, by the same threads; a bf16 dot product may beat it).
//
//   bench_attention [--isa NAME] [--threads N] [--exact]
//
// Prefill counts 4 * dim operations per (row, head, token seen); decode also tells bytes of keys
// and values per second, over enough layers that they come from memory.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "base/thread_pool.h"

namespace quern::cpu {
namespace {

// Processor time of this thread: what others do on the machine meanwhile does not count. (Threads
// share the items evenly, so the caller's time is everyone's.)
struct Clock {
  static double now() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
};
double seconds_since(double start) { return Clock::now() - start; }

struct Shape {
  const char* name;
  int n_heads, n_kv_heads, head_dim;
};
constexpr Shape kShapes[] = {
    {"smollm2-135m", 9, 3, 64}, {"llama-3.2-1b", 32, 8, 64}, {"llama-3.1-8b", 32, 8, 128}};

struct Bench {
  const AttentionKernels& kernels;
  PromptAttention prompt;  // how rows of a prompt are computed
  ThreadPool& pool;
  const ProbeKernels& probe;

  double peak() const {  // operations per second of all threads
    std::vector<double> each(pool.n_threads());
    pool.run([&](int thread, int) {
      const double start = Clock::now();
      const auto operations = static_cast<double>(probe.f32_fmas(20000));
      each[thread] = operations / seconds_since(start);
    });
    return std::accumulate(each.begin(), each.end(), 0.0);
  }
};

// Keys and values of n_layers layers (copies of one), pages in no order.
struct Cache {
  Cache(const AttentionKernels& kernels, const AttentionShape& shape, int tokens, int layers)
      : n_pages((tokens + kPageTokens - 1) / kPageTokens),
        stride(kernels.page_bytes(shape)),
        memory(static_cast<std::byte*>(std::aligned_alloc(64, stride * n_pages * layers))) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> k(shape.n_kv_heads * shape.head_dim), v(k.size());
    for (auto& x : k) x = normal(random);
    for (int p = 0; p < n_pages; ++p) pages.push_back(p);
    std::shuffle(pages.begin(), pages.end(), random);
    std::memset(memory, 0, stride * n_pages * layers);
    for (int p = 0; p < n_pages; ++p)
      for (int slot = 0; slot < kPageTokens; ++slot) {
        std::rotate(k.begin(), k.begin() + 1, k.end());
        std::reverse_copy(k.begin(), k.end(), v.begin());
        kernels.append(shape, k.data(), v.data(), memory + p * stride, slot);
      }
    for (int l = 1; l < layers; ++l) std::memcpy(layer(l), memory, stride * n_pages);
  }
  ~Cache() { std::free(memory); }
  std::byte* layer(int l) const { return memory + l * stride * n_pages; }
  int64_t n_pages, stride;
  std::byte* memory;
  std::vector<int32_t> pages;
};

// One call over all layers: rows [position, position + rows) of one sequence, items dealt out in
// turn, head by head, from the last rows (they see most) to the first. Returns seconds.
double pass(const Bench& bench, const AttentionShape& shape, const Cache& cache, int layers,
            int position, int rows, const std::vector<float>& q, std::vector<float>& out,
            std::vector<std::vector<std::byte>>& scratch) {
  const int64_t width = int64_t{shape.n_heads} * shape.head_dim;
  const int block = attention_rows(shape), blocks = (rows + block - 1) / block;
  const auto attend = rows > 1 ? bench.prompt.attend : bench.kernels.attend;
  // Single rows: all heads of a page one after the other, as they stand.
  const int heads = rows > 1 ? 1 : shape.n_kv_heads;
  const int ranges = (shape.n_kv_heads + heads - 1) / heads, items = layers * blocks * ranges;
  std::atomic<int> next{0};
  const auto start = Clock::now();
  bench.pool.run([&](int thread, int) {
    auto* space = reinterpret_cast<std::byte*>(
        (reinterpret_cast<uintptr_t>(scratch[thread].data()) + 63) / 64 * 64);
    for (int i; (i = next++) < items;) {
      const int layer = i / (blocks * ranges), rest = i % (blocks * ranges);
      const int at = (blocks - 1 - rest % blocks) * block;
      attend({.shape = shape,
              .cache = {cache.layer(layer), cache.stride},
              .pages = cache.pages,
              .position = position + at,
              .n_rows = std::min(block, rows - at),
              .kv_head = rest / blocks * heads,
              .n_kv_heads = std::min(heads, shape.n_kv_heads - rest / blocks * heads),
              .q = &q[at * width],
              .q_stride = width,
              .out = &out[at * width],
              .out_stride = width,
              .scratch = space});
    }
  });
  return seconds_since(start);
}

void measure(const Bench& bench, const Shape& s, int position, int rows, int layers) {
  const AttentionShape shape{s.n_heads, s.n_kv_heads, s.head_dim,
                             1 / std::sqrt(static_cast<float>(s.head_dim))};
  const Cache cache(bench.kernels, shape, position + rows, layers);
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> q(int64_t{rows} * s.n_heads * s.head_dim), out(q.size());
  for (auto& x : q) x = normal(random);
  std::vector<std::vector<std::byte>> scratch(bench.pool.n_threads());
  for (auto& space : scratch)
    space.resize(std::max(bench.kernels.scratch_bytes(shape, rows, s.n_kv_heads),
                          bench.prompt.scratch_bytes(shape, rows, s.n_kv_heads)) +
                 64);

  double flops = 0;
  for (int r = 0; r < rows; ++r) flops += 4.0 * s.head_dim * s.n_heads * (position + r + 1);
  const double bytes = double(cache.stride) * (position + rows) / kPageTokens;
  std::vector<double> times, shares;
  pass(bench, shape, cache, layers, position, rows, q, out, scratch);
  for (const auto start = Clock::now(); times.size() < 5 || seconds_since(start) < 0.3;) {
    const double before = bench.peak();
    times.push_back(pass(bench, shape, cache, layers, position, rows, q, out, scratch) / layers);
    shares.push_back(flops / times.back() / (before + bench.peak()) * 2);
  }
  std::sort(times.begin(), times.end());
  std::sort(shares.begin(), shares.end());
  const double t = times[times.size() / 2];
  std::printf(
      "%-13s rows %3d at %4d: %8.2f us/token, %6.1f GFLOP/s = %3.0f %% of fma peak, %5.1f GB/s\n",
      s.name, rows, position, t / rows * 1e6, flops / t / 1e9, 100 * shares[shares.size() / 2],
      bytes / t / 1e9);
}

int run(int argc, char** argv) {
  const CpuFeatures features = detect_cpu_features();
  const Kernels* kernels = &best_kernels(features);
  int threads = features.n_cpus;
  bool exact = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--exact")
      exact = true;
    else if (arg == "--isa" && i + 1 < argc)
      kernels = find_kernels(argv[++i], features);
    else if (arg == "--threads" && i + 1 < argc)
      threads = std::atoi(argv[++i]);
    else
      return std::fprintf(stderr, "unknown argument: %s\n", argv[i]), 2;
  }
  if (!kernels) return std::fprintf(stderr, "no such instruction set here\n"), 2;
  auto pool = ThreadPool::start(threads);
  if (!pool) return std::fprintf(stderr, "%s\n", to_string(pool.error()).c_str()), 1;
  const AttentionKernels& attention = exact ? kernels->exact_attention : *kernels->attention[0];
  PromptAttention prompt{attention.attend, attention.scratch_bytes};
  if (!exact && kernels->prompt_attention) prompt = *kernels->prompt_attention;
  const Bench bench{attention, prompt, **pool, kernels->probe};
  std::printf("%s, %s, %d threads, peak %.0f GFLOP/s\n", std::string(kernels->isa).c_str(),
              exact ? "exact" : "fast", threads, bench.peak() / 1e9);
  for (const Shape& s : kShapes) {
    for (const int position : {0, 3584}) measure(bench, s, position, 512, 1);
    for (const int context : {512, 4096}) measure(bench, s, context - 1, 1, 131072 / context);
  }
  return 0;
}

}  // namespace
}  // namespace quern::cpu

int main(int argc, char** argv) { return quern::cpu::run(argc, argv); }
