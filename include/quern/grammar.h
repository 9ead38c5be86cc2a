// Constrained generation: a grammar that masks the sampler token by token. A rule that cannot be
// enforced is refused when the request is made, never ignored; annotations of a standard are not
// enforced (docs/grammar.md).
#pragma once
#include <string>

namespace quern {

enum class GrammarKind {
  none,         // free text
  json_object,  // any JSON object; text is empty
  json_schema,  // text: a JSON schema; keywords that cannot be enforced are refused by name
  regex,        // text: a regular expression (Rust syntax, no lookaround) for the whole answer
  lark,         // text: a Lark grammar as llguidance reads it
  choice,       // text: a JSON array of strings, one of which is the answer
  tools,        // text: a JSON object of tags; free text until a tag's trigger (docs/grammar.md)
};

struct GrammarSpec {
  GrammarKind kind = GrammarKind::none;
  std::string text;
  // No white space between the parts of a JSON value, where otherwise up to 64 characters may
  // stand.
  bool compact = false;

  bool operator==(const GrammarSpec&) const = default;
};

}  // namespace quern
