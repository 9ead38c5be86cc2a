// The chain as a table: every link changes logits or leaves candidates out.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/sample/choice.h"
#include "engine/sample/dry.h"
#include "engine/sample/token_counts.h"
#include "quern/sampling.h"

namespace quern {

// What a link may look at besides the choice.
struct LinkInput {
  const SamplingOptions& options;
  const DryBreakers& breakers;
  std::span<const int32_t> history;  // prompt and generated tokens
  size_t n_vocab;
  double u;  // uniform in [0, 1), of this token; the draw has another one
  TokenCounts& counts;
  DryScratch& dry;
};

struct Link {
  std::string_view name;
  bool changes_logits;  // the others leave candidates out, or mean nothing at temperature 0
  bool (*wanted)(const SamplingOptions&);
  // The choice has a finite top; after it the choice may be empty.
  void (*apply)(const LinkInput&, Choice&);
};

// In the default order.
std::span<const Link> links();
const Link* find_link(std::string_view name);  // null: there is none

// Those that do something, in the order of options.samplers.
std::vector<const Link*> chain(const SamplingOptions& options);

}  // namespace quern
