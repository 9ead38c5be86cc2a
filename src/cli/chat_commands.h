// An interactive conversation: questions, commands that begin with '/', and a line about each
// answer.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/conversation.h"
#include "cli/sampling_flags.h"

namespace quern::cli {

enum class Next { go_on, leave };

// Not thread-safe. Refers to the conversation and the flags, which must outlive it.
class Chat {
 public:
  // interactive: errors are shown and the conversation continues, without an exit code. stats: a
  // line about tokens and speed follows each answer.
  Chat(Conversation& conversation, const SamplingFlags& sampling, bool interactive, bool stats)
      : conversation_(conversation),
        sampling_(sampling),
        interactive_(interactive),
        stats_(stats) {}

  Next ask(const std::string& question);
  // A line that begins with '/'.
  Next command(const std::string& line);

  bool interactive() const { return interactive_; }
  int exit_code() const { return exit_code_; }

 private:
  struct Command;
  static const Command kCommands[];

  Next help(const std::string&);
  Next regenerate(const std::string&);
  Next undo(const std::string&);
  Next reset(const std::string&);
  Next save(const std::string& path);
  Next load(const std::string& path);
  Next system(const std::string& text);
  Next schema(const std::string& path);
  Next stats(const std::string&);
  Next exit(const std::string&) { return Next::leave; }

  Next answered(const Result<Generation>& generation);
  Next failed(const Error& error);

  Conversation& conversation_;
  const SamplingFlags& sampling_;
  const bool interactive_, stats_;
  std::vector<std::string> told_;  // notes of the last answer
  int exit_code_ = 0;
};

}  // namespace quern::cli
