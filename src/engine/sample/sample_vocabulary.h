// The data that sampling needs of a vocabulary, computed once outside the hot loop.
#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "engine/sample/dry.h"
#include "engine/sample/token_bytes.h"
#include "quern/sampling.h"

namespace quern {

// What of a request's options is in tokens. Cheap to copy.
struct SampleTokens {
  std::shared_ptr<const DryBreakers> breakers;  // null: no DRY
};

// One thread at a time. Reads the tokens' bytes when the first request wants DRY (a few ms), and
// keeps the last few lists of breakers.
class SampleVocabulary {
 public:
  SampleVocabulary(int n_vocab, std::function<std::string(int32_t)> token_bytes)
      : n_vocab_(n_vocab), bytes_of_(std::move(token_bytes)) {}

  SampleTokens resolve(const SamplingOptions& options);

 private:
  struct Kept {
    std::vector<std::string> texts;
    std::shared_ptr<const DryBreakers> breakers;
  };

  int n_vocab_;
  std::function<std::string(int32_t)> bytes_of_;
  std::shared_ptr<const TokenBytes> bytes_;
  std::list<Kept> kept_;  // the last used first
};

}  // namespace quern
