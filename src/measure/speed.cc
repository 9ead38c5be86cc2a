#include "measure/speed.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <utility>

namespace quern::measure {

Work work_of(const WeightSource& source) {
  const bool tied = source.find("output.weight") == nullptr;
  Work work;
  for (const Weight& weight : source.weights()) {
    if (weight.dims.size() < 2) continue;
    const bool embedding = weight.name == "token_embd.weight";
    if (embedding && !tied) continue;
    const auto bytes = static_cast<int64_t>(weight.data.size());
    const int64_t weights = weight.n_rows() * weight.n_cols();
    work.bytes += bytes;
    work.weights += weights;
    if (embedding || weight.name == "output.weight") continue;
    work.body_bytes += bytes;
    work.body_weights += weights;
  }
  return work;
}

double cache_bytes(const Executor& executor, int n_tokens) {
  double bytes = 0;
  for (const CacheGroup& group : executor.groups())
    bytes += static_cast<double>(group.page_bytes) / executor.page_tokens() *
             (group.window == 0 ? n_tokens : std::min(n_tokens, group.window));
  return bytes;
}

Traffic traffic_of(const SpeedTest& test, int rows, const Work& work,
                   const std::function<double(int)>& cache_bytes) {
  Traffic traffic;
  const int step = test.n_gen > 0 ? 1 : rows;
  for (int position = test.untimed(); position < test.length(); position += step) {
    const int n = std::min(step, test.length() - position);
    const bool logits = test.n_gen > 0 || position + n == test.length();
    traffic.bytes += static_cast<double>(logits ? work.bytes : work.body_bytes) +
                     cache_bytes(position + n) * test.n_seqs;
    // Of a prompt the head multiplies one token alone: left out.
    traffic.operations += 2.0 * n * test.n_seqs *
                          static_cast<double>(test.n_gen > 0 ? work.weights : work.body_weights);
  }
  return traffic;
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(std::max<size_t>(values.size(), 1));
}

double deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  double sum = 0;
  for (const double value : values) sum += (value - mean(values)) * (value - mean(values));
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Speedometer::Speedometer(Executor& executor, int rows, std::function<Moment()> probe)
    : executor_(executor),
      rows_(std::min(rows, executor.max_rows())),
      probe_(std::move(probe)),
      pages_(executor) {}

// Sequences [first_seq, first_seq + n_seqs), n_rows tokens of noise each; logits of each one's last
// token, or none.
Result<> Speedometer::pass(int first_seq, int n_seqs, int position, int n_rows, bool logits) {
  tokens_.resize(static_cast<size_t>(n_seqs) * static_cast<size_t>(n_rows));
  for (int32_t& token : tokens_) {
    noise_ = noise_ * 6364136223846793005ull + 1442695040888963407ull;  // Knuth's MMIX
    token = static_cast<int32_t>((noise_ >> 33) % static_cast<uint64_t>(executor_.n_vocab()));
  }
  chunks_.clear();
  used_.clear();
  for (int i = 0; i < n_seqs; ++i) {
    chunks_.push_back({i * n_rows, n_rows, position, pages_.of(first_seq + i), logits ? 1 : 0});
    if (logits) used_.push_back(i * n_rows + n_rows - 1);
  }
  logits_.resize(used_.size() * static_cast<size_t>(executor_.n_vocab()));
  return executor_.forward({tokens_, chunks_, used_}, logits_);
}

// One sequence after the other. What an earlier test left at the same place serves as well: it is
// noise of the same kind.
Result<> Speedometer::fill(const SpeedTest& test) {
  pages_.lay_out(test.n_seqs, test.length());
  const int kept = test.n_seqs == 1 ? filled_ : 0;
  for (int seq = 0; seq < test.n_seqs; ++seq)
    for (int position = kept; position < test.untimed(); position += rows_)
      TRY_OK(pass(seq, 1, position, std::min(rows_, test.untimed() - position), false));
  filled_ = test.n_seqs == 1 ? std::max(kept, test.length()) : 0;
  return Ok{};
}

Result<> Speedometer::run(const SpeedTest& test) {
  const int step = test.n_gen > 0 ? 1 : rows_;
  for (int position = test.untimed(); position < test.length(); position += step) {
    const int n = std::min(step, test.length() - position);
    const bool logits = test.n_gen > 0 || position + n == test.length();
    TRY_OK(pass(0, test.n_seqs, position, n, logits));
  }
  return Ok{};
}

Result<std::vector<Sample>> Speedometer::measure(const SpeedTest& test, int repetitions,
                                                 const std::function<bool(int run)>& keep_going) {
  std::vector<Sample> samples;
  Moment before;
  for (int i = 0; i <= repetitions; ++i) {
    if (!keep_going(i)) return Error{Code::cancelled, "stopped while measuring", {}, {}};
    if (i == 0) TRY_OK(fill(test));
    const auto begin = std::chrono::steady_clock::now();
    TRY_OK(run(test));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    const Moment after = probe_();
    if (i > 0)
      samples.push_back(
          {test.timed() * test.n_seqs / seconds.count(),
           {(before.dram_gbps + after.dram_gbps) / 2, (before.int8_gops + after.int8_gops) / 2}});
    before = after;
  }
  return samples;
}

}  // namespace quern::measure
