#include "cli/conversation.h"

#include "cli/answer.h"

namespace quern::cli {

std::vector<Message> Conversation::sent() const {
  std::vector<Message> messages;
  if (!system_.empty()) messages.push_back({"system", system_});
  messages.insert(messages.end(), messages_.begin(), messages_.end());
  return messages;
}

void Conversation::set_system(std::string system) {
  system_ = std::move(system);
  reset();
}

Result<Generation> Conversation::ask(const std::string& question) {
  messages_.push_back({"user", question});
  auto generation = [&]() -> Result<Generation> {
    TRY(const std::vector<int32_t> prompt, model_.chat_prompt(sent()));
    tokens_ = std::ssize(prompt);
    return answer(model_, prompt, options_, true);
  }();
  if (!generation) {
    messages_.pop_back();
    return generation;
  }
  messages_.push_back({"assistant", generation->text});
  tokens_ += std::ssize(generation->ids);
  last_ = generation->timings;
  return generation;
}

}  // namespace quern::cli
