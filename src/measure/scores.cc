#include "measure/scores.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>

namespace quern::measure {
namespace {

// log of the sum of exp(x), less the largest, and the largest.
struct Normalizer {
  explicit Normalizer(std::span<const float> x) : largest(*std::max_element(x.begin(), x.end())) {
    double sum = 0;
    for (const float value : x) sum += std::exp(value - largest);
    log_sum = std::log(sum);
  }
  double log_probability(float value) const { return value - largest - log_sum; }

  double largest, log_sum = 0;
};

Error no_space() {
  return {Code::unavailable, std::string("the logits could not be kept: ") + std::strerror(errno),
          "a temporary file", "free some space, set TMPDIR, or score fewer tokens"};
}

}  // namespace

double negative_log_likelihood(std::span<const float> logits, int32_t target) {
  const float top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return std::log(sum) + top - static_cast<double>(logits[static_cast<size_t>(target)]);
}

int32_t most_likely(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void Score::add(std::span<const float> logits, int32_t target) {
  sum_ += negative_log_likelihood(logits, target);
  hits_ += most_likely(logits) == target;
  ++n_;
}

double Score::perplexity() const { return std::exp(nll()); }

double kl_divergence(std::span<const float> reference, std::span<const float> logits) {
  const Normalizer p(reference), q(logits);
  double sum = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double log_p = p.log_probability(reference[i]);
    sum += std::exp(log_p) * (log_p - q.log_probability(logits[i]));
  }
  return std::max(sum, 0.0);
}

void Divergence::add(std::span<const float> reference, std::span<const float> logits) {
  kl_.push_back(kl_divergence(reference, logits));
  same_ += most_likely(reference) == most_likely(logits);
}

double Divergence::mean() const {
  return std::accumulate(kl_.begin(), kl_.end(), 0.0) / static_cast<double>(kl_.size());
}

double Divergence::percentile(double share) const {
  std::vector<double> sorted = kl_;
  std::ranges::sort(sorted);
  const auto n = static_cast<double>(sorted.size());
  const auto at = static_cast<size_t>(std::clamp(std::ceil(share * n) - 1, 0.0, n - 1));
  return sorted[at];
}

double Divergence::agreement() const {
  return static_cast<double>(same_) / static_cast<double>(kl_.size());
}

Result<LogitStore> LogitStore::create() {
  LogitStore store;
  store.file_.reset(std::tmpfile());
  if (!store.file_) return no_space();
  return store;
}

Result<> LogitStore::append(std::span<const float> row) {
  if (std::fwrite(row.data(), sizeof(float), row.size(), file_.get()) != row.size())
    return no_space();
  return Ok{};
}

Result<> LogitStore::rewind() {
  if (std::fflush(file_.get()) != 0 || std::fseek(file_.get(), 0, SEEK_SET) != 0) return no_space();
  return Ok{};
}

Result<> LogitStore::next(std::span<float> row) {
  if (std::fread(row.data(), sizeof(float), row.size(), file_.get()) != row.size())
    return Error{Code::corrupt, "the kept logits end too early", "a temporary file", {}};
  return Ok{};
}

}  // namespace quern::measure
