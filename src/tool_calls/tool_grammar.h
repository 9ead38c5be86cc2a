// Grammars under which an answer is, or begins with, calls that a parser reads back.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "quern/grammar.h"
#include "tool_calls/tool_dialect.h"
#include "tool_calls/tool_set.h"

namespace quern {

struct ToolRules {
  bool required = false;           // calls, and nothing but reasoning before them
  std::vector<std::string> names;  // only these tools are called; empty: any
  bool parallel = true;            // false: one call at most
  ReasoningFormat reasoning;       // of the model; may be empty
  bool reasoning_open = false;     // as ParserOptions
};

// Whether a JSON schema can be enforced; its error names the keyword.
using CheckSchema = std::function<Result<>(const std::string& schema)>;

// A grammar of kind `tools`, in the form that the model's template writes. Without `required` text
// is free until a call begins, and the kind is `none`, unless a tool is strict, names are given, or
// calls are not parallel.
//
// Arguments are held to the tool's schema. Of a strict tool whose schema cannot be enforced, the
// request is refused; another one is held to as much as can be, at least to an object, and
// check_arguments says afterwards whether they fit. Between tags a string is text: there only
// "enum" and "const" hold it to anything.
//
// Errors: invalid_argument (a name that is no tool's; required without tools), unsupported (a
// strict tool's schema: names tool and keyword).
Result<GrammarSpec> tool_grammar(const ToolDialect& dialect, const ToolSet& tools,
                                 const ToolRules& rules, const CheckSchema& check);

// Whether `arguments` (JSON) fit the tool's schema, whatever it says: what of it is not checked is
// `format`, and `pattern`, for which there is no linear matcher here. Errors: invalid_argument
// (what does not fit, and where: "/city: must be of type "string""), out_of_memory (nested too
// deep).
Result<> check_arguments(const Tool& tool, std::string_view arguments);

}  // namespace quern
