#include "options/schema.h"

#include "options/tables.h"

namespace quern::options {

const Schema& schema() {
  static const Schema kSchema{.sampling = sampling_options(),
                              .generate = generate_options(),
                              .reasoning = reasoning_options(),
                              .grammar = grammar_options(),
                              .load = load_options(),
                              .embed = embed_options()};
  return kSchema;
}

GenerateOptions program_defaults() {
  GenerateOptions defaults;
  defaults.max_tokens = 1024;
  defaults.sampling.temperature = 0.4f;
  defaults.sampling.top_p = 0.9f;
  defaults.sampling.seed = kRandomSeed;
  return defaults;
}

}  // namespace quern::options
