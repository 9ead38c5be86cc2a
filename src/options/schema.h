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

template <class T>
T& part_of(GenerateOptions& request) {
  return part(request, static_cast<T*>(nullptr));
}
template <class T>
const T& part_of(const GenerateOptions& request) {
  return part_of<T>(const_cast<GenerateOptions&>(request));
}

// Calls visit(option, its part of the request) for each option of a request until it returns true;
// whether it did. Request: GenerateOptions, const or not.
template <class Request, class Visit>
bool any_option(const Schema& schema, Request& request, Visit&& visit) {
  const auto any = [&](const auto& rows, auto& part) {
    for (const auto& option : rows)
      if (visit(option, part)) return true;
    return false;
  };
  return any(schema.generate, request) || any(schema.sampling, request.sampling) ||
         any(schema.reasoning, request.reasoning) || any(schema.grammar, request.grammar);
}

}  // namespace quern::options
