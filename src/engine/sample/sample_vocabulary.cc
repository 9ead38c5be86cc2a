#include "engine/sample/sample_vocabulary.h"

#include <algorithm>

namespace quern {

SampleTokens SampleVocabulary::resolve(const SamplingOptions& options) {
  constexpr size_t kKept = 8;
  if (options.dry_multiplier <= 0) return {};
  const auto at = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
    return kept.texts == options.dry_breakers;
  });
  if (at != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, at);
    return {kept_.front().breakers};
  }
  if (!bytes_) bytes_ = std::make_shared<const TokenBytes>(n_vocab_, bytes_of_);
  kept_.push_front(
      {options.dry_breakers, std::make_shared<const DryBreakers>(options.dry_breakers, bytes_)});
  if (kept_.size() > kKept) kept_.pop_back();
  return {kept_.front().breakers};
}

}  // namespace quern
