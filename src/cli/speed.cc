#include "cli/speed.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace quern::cli {

namespace {

// A sequence of noise through one executor: pages in order, tokens by a fixed rule.
class Feed {
 public:
  explicit Feed(Executor& executor)
      : executor_(executor),
        pages_(static_cast<size_t>(executor.n_pages())),
        logits_(static_cast<size_t>(executor.n_vocab())) {
    std::iota(pages_.begin(), pages_.end(), 0);
  }

  Result<> pass(int position, int n_rows) {
    tokens_.resize(static_cast<size_t>(n_rows));
    for (int32_t& token : tokens_) {
      state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;  // Knuth's MMIX
      token = static_cast<int32_t>((state_ >> 33) % static_cast<uint64_t>(executor_.n_vocab()));
    }
    const int n_pages = (position + n_rows + executor_.page_tokens() - 1) / executor_.page_tokens();
    const Chunk chunk{0, n_rows, position, std::span(pages_).first(static_cast<size_t>(n_pages)),
                      1};
    const int32_t used = n_rows - 1;
    return executor_.forward({tokens_, {&chunk, 1}, {&used, 1}}, logits_);
  }

 private:
  Executor& executor_;
  std::vector<int32_t> pages_, tokens_;
  std::vector<float> logits_;
  uint64_t state_ = 1;
};

}  // namespace

Work work_of(const WeightSource& source) {
  const bool tied = source.find("output.weight") == nullptr;
  Work work;
  for (const Weight& weight : source.weights()) {
    if (weight.dims.size() < 2) continue;
    const bool embedding = weight.name == "token_embd.weight";
    if (embedding && !tied) continue;
    const bool head = embedding || weight.name == "output.weight";
    work.bytes += static_cast<int64_t>(weight.data.size());
    work.weights += weight.n_rows() * weight.n_cols();
    if (!head) work.body_weights += weight.n_rows() * weight.n_cols();
  }
  return work;
}

double Speed::mean() const {
  return std::accumulate(samples.begin(), samples.end(), 0.0) /
         static_cast<double>(std::max<size_t>(samples.size(), 1));
}

double Speed::deviation() const {
  if (samples.size() < 2) return 0;
  double sum = 0;
  for (const double sample : samples) sum += (sample - mean()) * (sample - mean());
  return std::sqrt(sum / static_cast<double>(samples.size() - 1));
}

Result<Speed> measure(Executor& executor, const SpeedTest& test, int rows, int repetitions,
                      const std::function<bool(int run)>& keep_going) {
  const int n_tokens = std::max(test.n_prompt, test.n_gen);
  const int step = test.n_gen > 0 ? 1 : std::min(rows, executor.max_rows());
  Feed feed(executor);
  Speed speed;
  for (int run = 0; run <= repetitions; ++run) {
    if (!keep_going(run)) return Error{Code::cancelled, "stopped while measuring", {}, {}};
    const auto begin = std::chrono::steady_clock::now();
    for (int position = 0; position < n_tokens; position += step)
      TRY_OK(feed.pass(position, std::min(step, n_tokens - position)));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (run > 0) speed.samples.push_back(n_tokens / seconds.count());
  }
  return speed;
}

}  // namespace quern::cli
