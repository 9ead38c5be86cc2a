#include "tuning/search.h"

#include <algorithm>
#include <map>
#include <utility>

#include "backend/sequence_pages.h"
#include "compile/targets.h"
#include "tuning/choice.h"

namespace quern {
namespace {

constexpr int kCrowd = 8;  // sequences of one token each
constexpr int kPromptTokens = 256, kQuickPromptTokens = 64;
constexpr int kRounds = 15, kQuickRounds = 7;

using Times = std::map<std::string, RoundTimes>;  // by product

int n_values(const TuningParameter& parameter) { return static_cast<int>(parameter.values.size()); }

class Search {
 public:
  explicit Search(const SearchOptions& options)
      : options_(options),
        rounds_(options.quick ? kQuickRounds : kRounds),
        prompt_tokens_(options.quick ? kQuickPromptTokens : kPromptTokens),
        table_(std::make_shared<TuningTable>()) {}

  Result<> prepare(std::shared_ptr<const WeightSource> source);
  Result<std::vector<ProductFindings>> run();

 private:
  int64_t n_passes() const;
  Result<> search(size_t parameter);
  Result<> confirm(int n_rows);
  // Candidate c of `n`: apply(c) sets the table. times[c], by product.
  template <class Apply>
  Result<std::vector<Times>> measure(int n_rows, int n, int rounds, Apply apply);
  Result<> pass(int n_rows);
  void take(const PassProfile& profile);

  const SearchOptions& options_;
  const int rounds_, prompt_tokens_;
  const Target* target_ = nullptr;
  std::span<const TuningParameter> parameters_;  // the target's
  Tuning usual_;
  std::shared_ptr<TuningTable> table_;
  std::unique_ptr<Executor> executor_;
  std::map<std::string, Tuning> best_;
  std::map<std::string, ProductFindings> found_;
  std::map<std::string, double> seconds_;  // of the last pass
  std::vector<float> logits_;
  int64_t n_done_ = 0;
};

Result<> Search::prepare(std::shared_ptr<const WeightSource> source) {
  TRY(target_, find_target(options_.compile.target));
  parameters_ = target_->tuning_parameters();
  usual_ = usual_tuning(*target_);
  CompileOptions compile_options = options_.compile;
  compile_options.tuning = table_;
  compile_options.max_rows = std::max(kCrowd, prompt_tokens_);
  compile_options.cache_tokens = prompt_tokens_;
  compile_options.cache_sequences = kCrowd;
  compile_options.profile = [this](const PassProfile& profile) { take(profile); };
  TRY(executor_, compile(std::move(source), compile_options));
  for (const auto& [product, tuning] : table_->products) {
    best_[product] = usual_;
    found_[product] = {.product = product};
  }
  return Ok{};
}

// Of every kind of product from its first thread's begin to its last one's end.
void Search::take(const PassProfile& profile) {
  struct Span {
    int64_t begin = INT64_MAX, end = 0;
  };
  std::vector<Span> spans(profile.steps.size());
  for (const StepTime& time : profile.times) {
    Span& span = spans[static_cast<size_t>(time.step)];
    span.begin = std::min(span.begin, time.begin_ns), span.end = std::max(span.end, time.end_ns);
  }
  seconds_.clear();
  for (size_t i = 0; i < spans.size(); ++i)
    if (spans[i].end > 0 && best_.contains(profile.steps[i]))
      seconds_[profile.steps[i]] += static_cast<double>(spans[i].end - spans[i].begin) / 1e9;
}

// One token of one or several sequences, or a prompt; 0 rows: a prompt of the longest kind.
Result<> Search::pass(int n_rows) {
  const bool prompt = n_rows > kCrowd;
  const int rows = prompt ? prompt_tokens_ : n_rows;
  std::vector<int32_t> tokens(static_cast<size_t>(rows)), used;
  for (int i = 0; i < rows; ++i) tokens[i] = i % executor_->n_vocab();
  SequencePages pages(*executor_);
  pages.lay_out(prompt ? 1 : rows, prompt ? rows : 1);
  std::vector<Chunk> chunks;
  if (prompt) {
    chunks.push_back({0, rows, 0, pages.of(0), 0});
  } else {
    for (int i = 0; i < rows; ++i) {
      chunks.push_back({i, 1, 0, pages.of(i), 1});
      used.push_back(i);
    }
  }
  logits_.resize(used.size() * static_cast<size_t>(executor_->n_vocab()));
  return executor_->forward({tokens, chunks, used}, logits_);
}

template <class Apply>
Result<std::vector<Times>> Search::measure(int n_rows, int n, int rounds, Apply apply) {
  std::vector<Times> times(static_cast<size_t>(n));
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < n; ++i) {
      const int candidate = (round + i) % n;  // nobody is always the first, or behind the same one
      const double done = static_cast<double>(n_done_++) / static_cast<double>(n_passes());
      if (options_.keep_going && !options_.keep_going(std::min(done, 1.0), "searching"))
        return Error{Code::cancelled, "the search was stopped", "", ""};
      apply(candidate);
      ++table_->version;
      TRY_OK(pass(n_rows));
      for (const auto& [product, seconds] : seconds_)
        times[static_cast<size_t>(candidate)][product].push_back(seconds);
    }
  }
  return times;
}

// One parameter for all products, each from its best so far.
Result<> Search::search(size_t p) {
  const TuningParameter& parameter = parameters_[p];
  const auto value = [&](int candidate) {
    return parameter.values[static_cast<size_t>(candidate) - 1];
  };
  TRY(const std::vector<Times> times,
      measure(parameter.n_rows, n_values(parameter) + 1, rounds_, [&](int candidate) {
        for (auto& [product, tuning] : table_->products) {
          tuning = best_.at(product);
          if (candidate > 0) tuning[p] = value(candidate);
        }
      }));
  for (auto& [product, tuning] : best_) {
    std::vector<RoundTimes> of_product;
    for (const Times& candidate : times) {
      const auto at = candidate.find(product);
      of_product.push_back(at == candidate.end() ? RoundTimes() : at->second);
    }
    if (const int winner = choose_fastest(of_product)) tuning[p] = value(winner);
  }
  return Ok{};
}

// What won among several may have been lucky: once more against the defaults alone, and back to
// them where it does not win again.
Result<> Search::confirm(int n_rows) {
  TRY(const std::vector<Times> times, measure(n_rows, 2, 2 * rounds_, [&](int candidate) {
        for (auto& [product, tuning] : table_->products)
          tuning = candidate == 0 ? usual_ : best_.at(product);
      }));
  for (auto& [product, tuning] : best_) {
    Finding finding{.n_rows = n_rows};
    for (size_t p = 0; p < parameters_.size(); ++p)
      if (parameters_[p].n_rows == n_rows && tuning[p] != usual_[p]) finding.changed.push_back(p);
    if (finding.changed.empty()) continue;
    const auto before = times[0].find(product), after = times[1].find(product);
    if (before != times[0].end() && after != times[1].end() &&
        choose_fastest({before->second, after->second}) == 1) {
      finding.gain = speedup(before->second, after->second) - 1;
      found_.at(product).findings.push_back(std::move(finding));
      continue;
    }
    for (const size_t p : finding.changed) tuning[p] = usual_[p];
  }
  return Ok{};
}

int64_t Search::n_passes() const {
  int64_t n = 0;
  for (const TuningParameter& parameter : parameters_)
    n += int64_t{n_values(parameter) + 1} * rounds_;
  return n + int64_t{3} * 4 * rounds_;
}

Result<std::vector<ProductFindings>> Search::run() {
  constexpr int kRegimes[] = {1, kCrowd, 512};
  for (const int n_rows : kRegimes) {
    TRY_OK(pass(n_rows));  // once to warm up
    for (size_t p = 0; p < parameters_.size(); ++p)
      if (parameters_[p].n_rows == n_rows) TRY_OK(search(p));
    TRY_OK(confirm(n_rows));
  }
  std::vector<ProductFindings> all;
  for (auto& [product, findings] : found_) {
    findings.best = best_.at(product);
    all.push_back(std::move(findings));
  }
  return all;
}

}  // namespace

Result<std::vector<ProductFindings>> search_tuning(std::shared_ptr<const WeightSource> source,
                                                   const SearchOptions& options) {
  Search search(options);
  TRY_OK(search.prepare(std::move(source)));
  return search.run();
}

}  // namespace quern
