// Speed of the attention kernels over one layer's cache:
//
//   attention/ISA/CACHE/SHAPE/rows:N/at:POSITION/threads:N
//
// CACHE: bf16, f16, int8, int4, or exact (f64 in plain order). 512 rows are a
// prompt's, one row is generation, over enough layers that keys and values come
// from memory. us_token: of one layer; GFLOP/s: 4 * dim operations per (row,
// head, token seen); of_f32: over the fma peak measured around it by the same
// threads (a bf16 dot product may beat it); GB/s: of keys and values.
#include "backend/cpu/bench/bench.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <numeric>
#include <random>
#include <type_traits>

namespace quern::cpu::bench {
namespace {

// Processor time of this thread: what others do on the machine meanwhile does
// not count. (Threads share the items evenly, so the caller's time is
// everyone's.)
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

// T: of queries, keys and values; double on the exact path.
template <class T>
using KernelsOf =
    std::conditional_t<std::is_same_v<T, double>, ExactAttentionKernels, AttentionKernels>;

template <class T>
struct Bench {
  const KernelsOf<T>& kernels;
  void (*attend_prompt)(const AttendCallOf<T>&);
  ThreadPool& pool;
  const ProbeKernels& probe;

  double peak() const {  // operations per second of all threads
    std::vector<double> each(pool.n_threads());
    pool.run([&](int thread, int) {
      const double start = Clock::now();
      const auto operations = static_cast<double>(probe.f32.run(20000));
      each[thread] = operations / seconds_since(start);
    });
    return std::accumulate(each.begin(), each.end(), 0.0);
  }
};

// Keys and values of n_layers layers (copies of one), pages in no order.
template <class T>
struct Cache {
  Cache(const KernelsOf<T>& kernels, const AttentionShape& shape, int tokens, int layers)
      : n_pages((tokens + kPageTokens - 1) / kPageTokens),
        stride(kernels.page_bytes(shape)),
        memory(static_cast<std::byte*>(std::aligned_alloc(64, stride * n_pages * layers))) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<T> k(shape.n_kv_heads * shape.head_dim), v(k.size());
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

// One call over all layers: rows [position, position + rows) of one sequence,
// items dealt out in turn, head by head, from the last rows (they see most) to
// the first. Returns seconds.
template <class T>
double pass(const Bench<T>& bench, const AttentionShape& shape, const Cache<T>& cache, int layers,
            int position, int rows, const std::vector<T>& q, std::vector<T>& out,
            std::vector<std::vector<std::byte>>& scratch) {
  const int64_t width = int64_t{shape.n_heads} * shape.head_dim;
  const int block = attention_rows(shape), blocks = (rows + block - 1) / block;
  const auto attend = rows > 1 ? bench.attend_prompt : bench.kernels.attend;
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

// What is measured: some rows of one sequence, over copies of the layer.
template <class T>
struct Case {
  const Kernels* kernels;
  const KernelsOf<T>* attention;
  bool prompt_kernels;
  Shape shape;
  int rows, position, layers, n_threads;
};

template <class T>
void measure(benchmark::State& state, const Case<T>& c) {
  const Shape& s = c.shape;
  auto attend_prompt = c.attention->attend;
  auto prompt_scratch_bytes = c.attention->scratch_bytes;
  if constexpr (std::is_same_v<T, float>) {
    if (c.prompt_kernels) {
      attend_prompt = c.kernels->prompt_attention->attend;
      prompt_scratch_bytes = c.kernels->prompt_attention->scratch_bytes;
    }
  }
  const Bench<T> bench{*c.attention, attend_prompt, *team(c.n_threads).pool, c.kernels->probe};
  const AttentionShape shape{s.n_heads, s.n_kv_heads, s.head_dim,
                             1 / std::sqrt(static_cast<float>(s.head_dim))};
  const Cache<T> cache(bench.kernels, shape, c.position + c.rows, c.layers);
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<T> q(int64_t{c.rows} * s.n_heads * s.head_dim), out(q.size());
  for (auto& x : q) x = normal(random);
  std::vector<std::vector<std::byte>> scratch(bench.pool.n_threads());
  for (auto& space : scratch)
    space.resize(std::max(bench.kernels.scratch_bytes(shape, c.rows, s.n_kv_heads),
                          prompt_scratch_bytes(shape, c.rows, s.n_kv_heads)) +
                 64);

  double flops = 0, seconds = 0, peak = bench.peak();
  for (int r = 0; r < c.rows; ++r) flops += 4.0 * s.head_dim * s.n_heads * (c.position + r + 1);
  for (auto _ : state) {
    const double time =
        pass(bench, shape, cache, c.layers, c.position, c.rows, q, out, scratch) / c.layers;
    state.SetIterationTime(time);
    seconds += time;
  }
  seconds /= static_cast<double>(state.iterations());
  peak = (peak + bench.peak()) / 2;
  const double bytes = static_cast<double>(cache.stride) * (c.position + c.rows) / kPageTokens;
  state.counters["us_token"] = seconds / c.rows * 1e6;
  state.counters["GFLOP/s"] = flops / seconds / 1e9;
  state.counters["of_f32"] = flops / seconds / peak;
  state.counters["GB/s"] = bytes / seconds / 1e9;
}

template <class T>
void add_cases(const Kernels& kernels, const KernelsOf<T>& attention, const std::string& name,
               bool prompt_kernels) {
  constexpr int kDeep = 131072;  // tokens of all layers together
  const struct {
    int rows, position, layers;
  } parts[] = {{512, 0, 1}, {512, 3584, 1}, {1, 511, kDeep / 512}, {1, 4095, kDeep / 4096}};
  for (const Shape& shape : kShapes)
    for (const auto& part : parts)
      for (const int n_threads : thread_counts()) {
        const Case<T> c{&kernels,  &attention,    prompt_kernels, shape,
                        part.rows, part.position, part.layers,    n_threads};
        add(
            name + "/" + shape.name + "/rows:" + std::to_string(part.rows) +
                "/at:" + std::to_string(part.position) + "/threads:" + std::to_string(n_threads),
            [c](benchmark::State& state) { measure(state, c); }, Timing::stated);
      }
}

}  // namespace
}  // namespace quern::cpu::bench

int main(int argc, char** argv) {
  using namespace quern::cpu;
  constexpr const char* kCaches[kKvKinds] = {"bf16", "f16", "int8", "int4"};
  for (const Kernels* kernels : bench::supported_kernels()) {
    const std::string name = "attention/" + std::string(kernels->isa) + "/";
    for (int kind = 0; kind < kKvKinds; ++kind)
      bench::add_cases<float>(*kernels, *kernels->attention[kind], name + kCaches[kind],
                              kind == 0 && kernels->prompt_attention);
    bench::add_cases<double>(*kernels, kernels->exact.attention, name + "exact", false);
  }
  const std::string isa(best_kernels(quern::detect_cpu_features()).isa);
  return bench::run(argc, argv, "^attention/" + isa + "/bf16/");
}
