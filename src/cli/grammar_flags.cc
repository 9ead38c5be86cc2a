#include "cli/grammar_flags.h"

#include "cli/text_input.h"
#include "openai/json.h"

namespace quern::cli {

void add_grammar_flags(Arguments& args, GrammarFlags& flags) {
  args.text("--schema", flags.schema,
            "The answer is JSON that follows the JSON schema in this file", "FILE");
  args.text("--grammar", flags.grammar, "The answer follows the Lark grammar in this file", "FILE");
  args.text("--regex", flags.regex, "The answer matches this regular expression as a whole");
  args.texts("--choice", flags.choices, "The answer is this text; repeated: one of these");
  args.exclusive({"--schema", "--grammar", "--regex", "--choice"});
}

Result<GrammarSpec> grammar_of(const GrammarFlags& flags) {
  if (flags.schema) return read_schema(*flags.schema);
  if (flags.regex) return GrammarSpec{.kind = GrammarKind::regex, .text = *flags.regex};
  if (!flags.choices.empty())
    return GrammarSpec{.kind = GrammarKind::choice,
                       .text = openai::Json(flags.choices)
                                   .dump(-1, ' ', false, openai::Json::error_handler_t::replace)};
  if (!flags.grammar) return GrammarSpec{};
  TRY(std::string text, read_file(*flags.grammar));
  return GrammarSpec{.kind = GrammarKind::lark, .text = std::move(text)};
}

Result<GrammarSpec> read_schema(const std::string& path) {
  TRY(std::string text, read_file(path));
  if (const auto json = openai::parse_json(text); !json)
    return Error{Code::invalid_argument, "not a JSON schema: " + json.error().what, path, {}};
  return GrammarSpec{.kind = GrammarKind::json_schema, .text = std::move(text)};
}

}  // namespace quern::cli
