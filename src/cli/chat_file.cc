#include "cli/chat_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <span>
#include <utility>

#include "base/file_writer.h"
#include "cli/text_input.h"
#include "openai/request.h"

namespace quern::cli {

namespace {

constexpr uintmax_t kMaxBytes = 64 << 20;

Error broken(const std::string& path, std::string what) {
  return {Code::invalid_argument, "not a saved conversation: " + std::move(what), path,
          "files written by /save can be read"};
}

// Questions and answers in turn, from a question to an answer.
bool in_turn(std::span<const Message> messages) {
  for (size_t i = 0; i < messages.size(); ++i)
    if (messages[i].role != (i % 2 == 0 ? "user" : "assistant")) return false;
  return messages.size() % 2 == 0;
}

}  // namespace

Result<> write_chat(const std::string& path, const SavedChat& chat) {
  std::vector<Message> messages;
  if (!chat.system.empty()) messages.push_back({"system", chat.system});
  messages.insert(messages.end(), chat.messages.begin(), chat.messages.end());
  openai::Json json = {{"messages", openai::messages_json(messages)}};
  json.update(openai::options_json(chat.options));
  const std::string text = json.dump(2, ' ', false, openai::Json::error_handler_t::replace) + "\n";
  TRY(FileWriter file, FileWriter::create(path));
  TRY_OK(file.write(0, std::as_bytes(std::span(text))));
  return file.finish();
}

Result<SavedChat> read_chat(const std::string& path, const GenerateOptions& defaults) {
  std::error_code unknown;
  const auto bytes = std::filesystem::file_size(path, unknown);
  if (!unknown && bytes > kMaxBytes)
    return broken(path, fmt::format("it has {} bytes, at most {} are read", bytes, kMaxBytes));
  TRY(const std::string text, read_file(path));
  const auto json = openai::parse_json(text);
  if (!json) return broken(path, json.error().what);
  auto request = openai::read_request(openai::Endpoint::chat_completions, *json, defaults);
  if (!request) return broken(path, request.error().what);
  if (!request->chat.tools.empty() || !request->chat.template_kwargs.empty())
    return broken(path, "it has tools or chat_template_kwargs, which a chat is not given");
  SavedChat chat{.messages = std::move(request->messages), .options = std::move(request->options)};
  if (chat.messages.front().role == "system") {
    chat.system = std::move(chat.messages.front().content);
    chat.messages.erase(chat.messages.begin());
  }
  if (!in_turn(chat.messages))
    return broken(path, "messages must be of user and assistant in turn, behind one of system");
  return chat;
}

}  // namespace quern::cli
