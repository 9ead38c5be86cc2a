// The messages of a chat and the prompts made of them.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "quern/model.h"

namespace quern::cli {

// Not thread-safe. Refers to the model, which must outlive it.
class Conversation {
 public:
  Conversation(const Model& model, GenerateOptions options, std::string system)
      : model_(model), options_(std::move(options)), system_(std::move(system)) {}

  // Asks and shows the answer on standard output as it grows. A stopped answer stays in the
  // conversation as far as it was generated; after an error the question is removed.
  Result<Generation> ask(const std::string& question);
  // Answers the last question again, with the next seed; after an error the old answer stays.
  // Errors: as ask, and invalid_argument (nothing was asked).
  Result<Generation> answer_again();
  // Removes the last question and its answer. False: there is none.
  bool undo();

  void reset() { messages_.clear(); }
  // Also clears the conversation: a system message is its first message.
  void set_system(std::string system);
  const std::string& system() const { return system_; }

  // Replaces the conversation.
  void replace(std::string system, std::vector<Message> messages, GenerateOptions options);
  const std::vector<Message>& messages() const { return messages_; }

  int turns() const { return static_cast<int>(messages_.size() / 2); }
  int64_t tokens() const { return tokens_; }  // of the last prompt and its answer
  const std::optional<Timings>& last() const { return last_; }
  void set_grammar(GrammarSpec grammar) { options_.grammar = std::move(grammar); }
  const GenerateOptions& options() const { return options_; }

 private:
  std::vector<Message> sent() const;
  Result<Generation> reply();  // to messages_, whose last one is a question

  const Model& model_;
  GenerateOptions options_;
  std::string system_;
  std::vector<Message> messages_;  // user and assistant in turn
  int64_t tokens_ = 0;
  std::optional<Timings> last_;
};

}  // namespace quern::cli
