// A constraint on an answer (grammar, schema, ...), token by token.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace quern {

// One per answer. Used by one thread at a time, which may change from call to call.
class Constraint {
 public:
  virtual ~Constraint() = default;
  // Sets bit i % 32 of bits[i / 32] where token i is allowed next, and clears the others. End
  // tokens are allowed where the text may end. Errors end the answer: nothing is generated
  // unconstrained.
  virtual Result<> mask(std::span<uint32_t> bits) = 0;
  // Consumes a token, which was allowed.
  virtual Result<> consume(int32_t token) = 0;
  // Tokens that are forced next, perhaps none; not consumed yet.
  virtual std::vector<int32_t> forced() = 0;
  // The text is whole and nothing can follow.
  virtual bool over() = 0;
};

}  // namespace quern
