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

void Conversation::replace(std::string system, std::vector<Message> messages,
                           GenerateOptions options) {
  system_ = std::move(system);
  messages_ = std::move(messages);
  options_ = std::move(options);
  tokens_ = 0;
  last_.reset();
}

Result<Generation> Conversation::reply() {
  TRY(const std::vector<int32_t> prompt, model_.chat_prompt(sent()));
  TRY(Generation generation, answer(model_, prompt, options_, true));
  messages_.push_back({"assistant", generation.text});
  tokens_ = std::ssize(prompt) + std::ssize(generation.ids);
  last_ = generation.timings;
  return generation;
}

Result<Generation> Conversation::ask(const std::string& question) {
  messages_.push_back({"user", question});
  auto generation = reply();
  if (!generation) messages_.pop_back();
  return generation;
}

Result<Generation> Conversation::answer_again() {
  if (messages_.empty())
    return Error{
        Code::invalid_argument, "there is no answer to replace", {}, "ask something first"};
  Message old = std::move(messages_.back());
  messages_.pop_back();
  ++options_.sampling.seed;
  auto generation = reply();
  if (!generation) messages_.push_back(std::move(old));
  return generation;
}

bool Conversation::undo() {
  if (messages_.empty()) return false;
  messages_.resize(messages_.size() - 2);
  return true;
}

}  // namespace quern::cli
