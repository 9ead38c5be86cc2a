// quern tokenize: text to token ids. Loads the tokenizer alone.
#include <fmt/format.h>
#include <unistd.h>

#include "api/known_models.h"
#include "api/load_text.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/terminal.h"
#include "cli/text_input.h"
#include "cli/verbs.h"
#include "text/utf8_stream.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Turn text into token ids.\n"
    "Only the tokenizer is loaded. The text is taken byte for byte: nothing is trimmed, a final "
    "newline counts.\nThe tokenizer's own start and end tokens are added as its rule says. What "
    "looks like a special token (<|im_end|>) is\nplain text unless --special is given.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern tokenize --text 'Hello, world'\n"
    "  quern tokenize model.gguf --file notes.txt --json\n"
    "  printf 'no newline' | quern tokenize folder-with-tokenizer.json/\n"
    "  quern tokenize --chat --text 'What is the capital of France?'";

void print_table(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  const bool terminal = is_terminal(STDOUT_FILENO);
  for (const int32_t id : ids) {
    const std::string piece = to_valid_utf8(tokenizer.piece(id));
    fmt::print("{:>8}  {}\n", id, terminal ? without_controls(piece) : piece);
  }
}

}  // namespace

Result<int> run_tokenize(int argc, const char* const* argv) {
  std::string model;
  std::optional<std::string> text, file;
  bool chat = false, special = false, json = false;
  Arguments args("tokenize", kSummary, kExamples);
  add_model(args, model);
  args.text("--text,-p", text, "The text [standard input]");
  args.text("--file,-f", file, "Read the text from this file; - is standard input", "FILE");
  args.flag("--chat", chat, "Take the text as one user message, by the model's chat template");
  args.flag("--special", special, "Special tokens typed in the text count as such");
  args.flag("--json", json, "Print {\"ids\":[...],\"pieces\":[...]}");
  args.exclusive({"--text", "--file"});
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;

  TRY(const std::string path, resolve_model(model));
  TRY(const Tokenizer tokenizer, load_tokenizer(path, warn));
  TRY(const std::string input, read_text(text, file));
  std::vector<int32_t> ids;
  if (chat) {
    TRY(const ChatTemplate chat_template, load_chat_template(path));
    const Message message{"user", input};
    TRY(ids, chat_ids(tokenizer, chat_template, {&message, 1}, special));
  } else {
    TRY(ids, tokenizer.encode(input, {.parse_special = special, .add_special = true}));
  }

  if (!json) {
    print_table(tokenizer, ids);
    return kDone;
  }
  Json pieces = Json::array();
  for (const int32_t id : ids) pieces.push_back(tokenizer.piece(id));
  print_json({{"ids", ids}, {"pieces", std::move(pieces)}});
  return kDone;
}

}  // namespace quern::cli
