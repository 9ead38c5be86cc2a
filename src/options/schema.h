// All options of requests and of loading, as tables.
#pragma once
#include <span>

#include "options/option.h"
#include "quern/model.h"

namespace quern::options {

// Readers take a schema, so that a test can give them one with an option more.
struct Schema {
  std::span<const Option<SamplingOptions>> sampling;
  std::span<const Option<GenerateOptions>> generate;
  std::span<const Option<ReasoningOptions>> reasoning;
  std::span<const Option<GrammarSpec>> grammar;
  std::span<const Option<LoadOptions>> load;
  std::span<const Option<EmbedOptions>> embed;
};
const Schema& schema();

// What `quern run`, `chat` and `batch` use where neither a flag nor the model's files say: calmer
// than the API's defaults, for models of a few hundred million parameters, which wander at higher
// temperatures; a limit, so that a loop does not fill the whole context unasked; another seed each
// time.
GenerateOptions program_defaults();

// The part of a request that the options T are.
inline SamplingOptions& part(GenerateOptions& request, SamplingOptions*) {
  return request.sampling;
}
inline GenerateOptions& part(GenerateOptions& request, GenerateOptions*) { return request; }
inline ReasoningOptions& part(GenerateOptions& request, ReasoningOptions*) {
  return request.reasoning;
}
inline GrammarSpec& part(GenerateOptions& request, GrammarSpec*) { return request.grammar; }
inline LoadOptions& part(LoadOptions& load, LoadOptions*) { return load; }

template <class T, class Whole>
T& part_of(Whole& whole) {
  return part(whole, static_cast<T*>(nullptr));
}
template <class T, class Whole>
const T& part_of(const Whole& whole) {
  return part(const_cast<Whole&>(whole), static_cast<T*>(nullptr));
}

// Calls visit(option) for each option of a request (or of loading) until it returns true; whether
// it did.
template <class Visit>
bool any_option(const Schema& schema, const GenerateOptions*, Visit&& visit) {
  const auto any = [&](const auto& rows) {
    for (const auto& option : rows)
      if (visit(option)) return true;
    return false;
  };
  return any(schema.generate) || any(schema.sampling) || any(schema.reasoning) ||
         any(schema.grammar);
}
template <class Visit>
bool any_option(const Schema& schema, const LoadOptions*, Visit&& visit) {
  for (const auto& option : schema.load)
    if (visit(option)) return true;
  return false;
}

}  // namespace quern::options
