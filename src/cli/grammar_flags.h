// The flags that constrain answers to a grammar.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "quern/grammar.h"

namespace quern::cli {

struct GrammarFlags {
  std::optional<std::string> schema, grammar, regex;  // the first two: files
  std::vector<std::string> choices;
};

// --schema, --grammar, --regex, --choice: at most one of them.
void add_grammar_flags(Arguments& args, GrammarFlags& flags);
// Errors: not_found (no such file), invalid_argument (a schema that is not JSON).
Result<GrammarSpec> grammar_of(const GrammarFlags& flags);
// A JSON schema from a file. Errors likewise.
Result<GrammarSpec> read_schema(const std::string& path);

}  // namespace quern::cli
