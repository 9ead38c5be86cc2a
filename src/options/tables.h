// The tables that make up the schema.
#pragma once
#include "options/schema.h"

namespace quern::options {

std::span<const Option<SamplingOptions>> sampling_options();    // sampling.cc
std::span<const Option<GenerateOptions>> generate_options();    // generate.cc
std::span<const Option<ReasoningOptions>> reasoning_options();  // generate.cc
std::span<const Option<GrammarSpec>> grammar_options();         // generate.cc
std::span<const Option<LoadOptions>> load_options();            // load.cc
std::span<const Option<EmbedOptions>> embed_options();          // load.cc

}  // namespace quern::options
