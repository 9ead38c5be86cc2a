// quern chat: a conversation on the terminal.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "api/known_models.h"
#include "cli/answer.h"
#include "cli/arguments.h"
#include "cli/chat_commands.h"
#include "cli/conversation.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/line_source.h"
#include "cli/model_flags.h"
#include "cli/readable.h"
#include "cli/sampling_flags.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Chat with a model.\n"
    "A first word that is a file, a folder or a known name, or looks like a path (has a / and no "
    "space, or ends in .gguf), is\nthe model; any other word is a question: it is answered and the "
    "program ends. Without a question a conversation begins.\nWhere standard input is not a "
    "terminal, every line of it is a turn.";

constexpr const char* kExamples =
    "In the conversation:\n"
    "  /help lists the commands. A line that ends in \\ continues in the next; \"\"\" begins and "
    "ends "
    "a text of several lines.\n"
    "  Ctrl-C stops an answer, or clears the line; twice at the prompt it leaves, as Ctrl-D does. "
    "Arrow up brings back\n  earlier lines.\n\n"
    "Sampling: a flag overrides the model's files (general.sampling.*, "
    "generation_config.json), these override the\nvalue in [brackets].\n\n"
    "Examples:\n"
    "  quern chat\n"
    "  quern chat 'What is the capital of France?'\n"
    "  quern chat model.gguf --system 'Answer in one sentence.' --temperature 0.2";

struct Flags {
  ModelFlags model;
  SamplingFlags sampling;
  std::string first, second;  // the positionals
  std::string question;
  std::string system;
  bool no_stats = false;
};

bool exists(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0;
}

bool names_model(const std::string& word) {
  if (is_known_model(word) || word.ends_with(".gguf") || exists(word)) return true;
  return word.find('/') != std::string::npos && word.find_first_of(" \t\n") == std::string::npos;
}

// Which of the words is the model and which the question.
Result<> sort_words(Flags& flags) {
  std::string words[] = {flags.first, flags.second};
  for (const std::string& word : words) {
    if (word.empty()) continue;
    const bool model_free = flags.model.model.empty() && &word == &words[0];
    if (model_free && names_model(word)) {
      flags.model.model = word;
    } else if (flags.question.empty()) {
      flags.question = word;
    } else {
      return Error{Code::invalid_argument,
                   fmt::format("'{}' is one word too many", word),
                   {},
                   "put the question in quotes: quern chat 'What is ...?'"};
    }
  }
  return Ok{};
}

void print_banner(const Flags& flags, const Model& model) {
  const Palette& colours = palette(STDOUT_FILENO);
  const ModelInfo& info = model.info();
  const std::string name = info.name.empty() ? info.path : info.name;
  fmt::print("{}quern {}{}  {} ({} parameters, {})  {} threads, {}{}\n", colours.bold,
             QUERN_VERSION, colours.reset, shown(name), count_text(info.n_parameters),
             bytes_text(info.file_bytes), threads_in_use(flags.model), isa_in_use(flags.model),
             flags.model.exact ? ", exact" : "");
  fmt::print("{}/help for commands, Ctrl-C stops an answer, Ctrl-D leaves{}\n", colours.dim,
             colours.reset);
}

// The loop of a conversation. Errors of one turn are shown; the conversation goes on.
int converse(Chat& chat, LineSource& lines) {
  const bool interactive = chat.interactive();
  const Palette& colours = palette(STDOUT_FILENO);
  bool once = false;  // Ctrl-C just before
  while (true) {
    const Line turn = read_turn(lines, interactive ? "> " : "", interactive ? ". " : "");
    if (turn.kind == LineKind::end) return chat.exit_code();
    if (turn.kind == LineKind::failed)
      return report({Code::not_found, "cannot read: " + turn.text, "standard input", {}});
    if (turn.kind == LineKind::interrupted) {
      if (once || !interactive) return interactive ? kDone : kInterrupted;
      once = true;
      fmt::print("{}Ctrl-C again or Ctrl-D leaves{}\n", colours.dim, colours.reset);
      continue;
    }
    once = false;
    if (turn.text.find_first_not_of(" \t\r\n") == std::string::npos) continue;
    const Next next = turn.text.starts_with('/') ? chat.command(turn.text) : chat.ask(turn.text);
    if (next == Next::leave) return chat.exit_code();
  }
}

}  // namespace

Result<int> run_chat(int argc, const char* const* argv) {
  Flags flags;
  Arguments args("chat", kSummary, kExamples);
  args.text("MODEL", flags.first, "A GGUF file, a folder, or a known name [the default model]",
            "PATH");
  args.text("QUESTION", flags.second, "Answer this and leave");
  args.text("-m,--model", flags.model.model, "The model, whatever the words look like", "PATH");
  args.text("-p,--prompt", flags.question, "The question, whatever the words look like");
  args.text("--system", flags.system, "A system message before the conversation");
  add_context_flag(args, flags.model);
  args.flag("--no-stats", flags.no_stats,
            "No line about tokens and speed after each answer; there is one on a terminal only");
  flags.sampling.add_to(args);
  add_machine_flags(args, flags.model);
  add_cache_flags(args, flags.model);
  add_draft_flags(args, flags.model);
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  TRY_OK(sort_words(flags));

  TRY(const Model model, load_model(flags.model));
  const GenerateOptions options = flags.sampling.options(model);
  Conversation conversation(model, options, flags.system);
  catch_interrupts();
  if (!flags.question.empty()) {
    TRY(const Generation generation, conversation.ask(flags.question));
    flags.sampling.note_cut(generation);
    return generation.finish == Finish::cancelled ? kInterrupted : kDone;
  }
  const bool interactive = is_terminal(STDIN_FILENO) && is_terminal(STDOUT_FILENO);
  if (interactive) print_banner(flags, model);
  const auto lines = interactive ? edited_lines(history_path()) : plain_lines();
  Chat chat(conversation, flags.sampling, interactive, interactive && !flags.no_stats);
  return converse(chat, *lines);
}

}  // namespace quern::cli
