#include "cli/chat_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/answer.h"
#include "cli/chat_file.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/grammar_flags.h"
#include "cli/readable.h"
#include "cli/terminal.h"

namespace quern::cli {

struct Chat::Command {
  const char* name;
  const char* argument;
  const char* help;
  Next (Chat::*run)(const std::string& argument);
};

const Chat::Command Chat::kCommands[] = {
    {"/help", "", "list the commands", &Chat::help},
    {"/regen", "", "answer the last question again, with another seed", &Chat::regenerate},
    {"/undo", "", "take the last question and its answer back", &Chat::undo},
    {"/reset", "", "forget the conversation", &Chat::reset},
    {"/system", "[TEXT]", "show or set the system message; setting it forgets the conversation",
     &Chat::system},
    {"/schema", "[FILE]", "hold answers to the JSON schema in the file; without one: no longer",
     &Chat::schema},
    {"/save", "FILE", "write the conversation and its options to a file", &Chat::save},
    {"/load", "FILE", "continue a conversation from a file, with its options", &Chat::load},
    {"/stats", "", "tokens and speed of the last answer", &Chat::stats},
    {"/exit", "", "leave (also Ctrl-D)", &Chat::exit},
};

Next Chat::command(const std::string& line) {
  const size_t end = std::min(line.find_first_of(" \t\n"), line.size());
  const size_t begin = std::min(line.find_first_not_of(" \t\n", end), line.size());
  for (const Command& command : kCommands)
    if (line.compare(0, end, command.name) == 0) return (this->*command.run)(line.substr(begin));
  return failed({Code::invalid_argument,
                 fmt::format("unknown command '{}'", line.substr(0, end)),
                 {},
                 "/help lists them"});
}

Next Chat::ask(const std::string& question) { return answered(conversation_.ask(question)); }

Next Chat::answered(const Result<Generation>& generation) {
  const Palette& colours = palette(STDOUT_FILENO);
  if (!generation) {
    const Next next = failed(generation.error());
    if (interactive_ && generation.error().code == Code::context_too_long)
      fmt::print("/undo takes a turn back, /reset forgets the conversation.\n");
    return next;
  }
  const bool stopped = generation->finish == Finish::cancelled;
  if (stopped && !interactive_) {
    exit_code_ = kInterrupted;
    return Next::leave;
  }
  if (stopped) fmt::print("{}(stopped){}\n", colours.dim, colours.reset);
  if (stats_)
    fmt::print("{}{}{}\n", colours.dim, short_timings_text(generation->timings), colours.reset);
  if (generation->notes != told_) {  // once, not at each answer
    for (const std::string& note : generation->notes) warn(note);
    told_ = generation->notes;
  }
  sampling_.note_cut(*generation);
  return Next::go_on;
}

Next Chat::failed(const Error& error) {
  const int code = report(error);
  if (!interactive_) exit_code_ = code;
  return Next::go_on;
}

Next Chat::help(const std::string&) {
  for (const Command& command : kCommands)
    fmt::print("  {:<16} {}\n", fmt::format("{} {}", command.name, command.argument), command.help);
  fmt::print("  {:<16} {}\n  {:<16} {}\n", "\\ at the end", "the turn continues in the next line",
             "\"\"\"", "begins and ends a text of several lines");
  return Next::go_on;
}

Next Chat::regenerate(const std::string&) {
  if (conversation_.turns() > 0 && conversation_.options().sampling.temperature == 0)
    warn("at temperature 0 the answer does not depend on the seed");
  return answered(conversation_.answer_again());
}

Next Chat::undo(const std::string&) {
  if (!conversation_.undo())
    return failed({Code::invalid_argument, "there is no turn to take back", {}, {}});
  fmt::print("The last turn is taken back; {} left.\n", conversation_.turns());
  return Next::go_on;
}

Next Chat::reset(const std::string&) {
  conversation_.reset();
  fmt::print("The conversation begins anew.\n");
  return Next::go_on;
}

Next Chat::system(const std::string& text) {
  if (text.empty()) {
    const std::string& system = conversation_.system();
    fmt::print("{}\n", system.empty() ? "No system message." : shown(system));
    return Next::go_on;
  }
  conversation_.set_system(text);
  fmt::print("System message set; the conversation begins anew.\n");
  return Next::go_on;
}

Next Chat::save(const std::string& path) {
  if (path.empty())
    return failed({Code::invalid_argument, "/save needs a file's name", {}, "/save talk.json"});
  if (conversation_.turns() == 0)
    return failed(
        {Code::invalid_argument, "there is nothing to save yet", {}, "ask something first"});
  const auto saved =
      write_chat(path, {conversation_.system(), conversation_.messages(), conversation_.options()});
  if (!saved) return failed(saved.error());
  fmt::print("{} turns saved to {}\n", conversation_.turns(), shown(path));
  return Next::go_on;
}

Next Chat::load(const std::string& path) {
  if (path.empty())
    return failed({Code::invalid_argument, "/load needs a file's name", {}, "/load talk.json"});
  GenerateOptions defaults = conversation_.options();
  defaults.max_tokens = -1;  // such is a limit that a file leaves out
  auto chat = read_chat(path, defaults);
  if (!chat) return failed(chat.error());
  conversation_.replace(std::move(chat->system), std::move(chat->messages),
                        std::move(chat->options));
  fmt::print("{} turns of {}; the conversation continues from there.\n", conversation_.turns(),
             shown(path));
  return Next::go_on;
}

Next Chat::schema(const std::string& path) {
  if (path.empty()) {
    conversation_.set_grammar({});
    fmt::print("Answers are free text.\n");
    return Next::go_on;
  }
  auto grammar = read_schema(path);
  if (!grammar) return failed(grammar.error());
  conversation_.set_grammar(std::move(*grammar));
  fmt::print("Answers follow {}.\n", shown(path));
  return Next::go_on;
}

Next Chat::stats(const std::string&) {
  fmt::print("{} turns, {} tokens in the conversation\n", conversation_.turns(),
             conversation_.turns() > 0 ? conversation_.tokens() : 0);
  if (conversation_.last()) fmt::print("last answer: {}\n", timings_text(*conversation_.last()));
  return Next::go_on;
}

}  // namespace quern::cli
