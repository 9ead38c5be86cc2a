#include "openai/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "api/message_json.h"

namespace quern::openai {

namespace {

Error wrong(std::string must) { return {Code::invalid_argument, std::move(must), {}, {}}; }

// Roles by the names that templates know.
struct Role {
  const char* name;
  const char* in_templates;
};
constexpr Role kRoles[] = {{"system", "system"},
                           {"developer", "system"},
                           {"user", "user"},
                           {"assistant", "assistant"},
                           {"tool", "tool"}};

// What SDKs hand back of an answer beside its content and says nothing to a template; any value.
constexpr const char* kRemarks[] = {"annotations", "parsed", "provider_specific_fields"};

// A history holds answers as SDKs print them, with a null for each field that was not there: such a
// member may have any name.
Result<> read_members(const Json& object, Message& message) {
  for (const auto& [key, value] : object.items()) {
    if (key == "role" || (value.is_null() && key != "content")) continue;
    if (const MessageMember* member = find_message_member(key)) {
      TRY_OK(member->read(value, message));
    } else if (std::ranges::find(kRemarks, key) == std::end(kRemarks)) {
      return wrong(fmt::format("a message has '{}', which is not supported", key));
    }
  }
  return finish_message(object, message);
}

Result<Message> read_message(const Json& object) {
  if (!object.is_object()) return wrong("each must be an object with role and content");
  const auto role = object.find("role");
  if (role == object.end() || !role->is_string()) return wrong("each must have a role");
  const auto* known =
      std::ranges::find_if(kRoles, [&](const Role& row) { return *role == row.name; });
  if (known == std::end(kRoles))
    return wrong("every role must be one of system, developer, user, assistant, tool");
  Message message{.role = known->in_templates};
  TRY_OK(read_members(object, message));
  return message;
}

}  // namespace

Result<> read_messages(const Json& value, Request& request) {
  if (!value.is_array() || value.empty()) return wrong("must be a list of messages, not empty");
  for (size_t i = 0; i < value.size(); ++i) {
    auto message = read_message(value[i]);
    if (!message) return wrong(fmt::format("(number {}): {}", i, message.error().what));
    request.messages.push_back(std::move(*message));
  }
  return Ok{};
}

Result<> read_template_kwargs(const Json& value, Request& request) {
  request.chat.template_kwargs = value.dump();
  return check_template_kwargs(request.chat.template_kwargs);
}

Json messages_json(const std::vector<Message>& messages) {
  Json json = Json::array();
  for (const Message& message : messages) json.push_back(openai_message(message));
  return json;
}

}  // namespace quern::openai
