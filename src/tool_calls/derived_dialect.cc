#include "tool_calls/derived_dialect.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tool_calls/call_reader.h"
#include "tool_calls/tool_set.h"
#include "tool_calls/value_reader.h"

namespace quern {
namespace {

// Words that no template has of itself.
constexpr std::string_view kName = "quernprobe", kKey = "quernkey", kValue = "quernvalue",
                           kKey2 = "quernother", kValue2 = "quernnext";
constexpr const char* kTools = R"([{"type": "function", "function": {"name": "quernprobe",
  "description": "d", "parameters": {"type": "object", "properties": {
  "quernkey": {"type": "string"}, "quernother": {"type": "string"}}}}}])";

ToolJson conversation(ToolJson answer) {
  answer["role"] = "assistant";
  return {{{"role", "user"}, {"content", "q"}}, std::move(answer)};
}

std::optional<std::string> rendered(const ChatTemplate& chat_template, const ToolJson& messages) {
  RenderOptions options;
  options.tools_json = kTools;
  options.add_generation_prompt = false;
  options.now = 0;
  const auto render = chat_template.render(messages.dump(), options);
  return render ? std::optional(render->text) : std::nullopt;
}

// What the template writes for a call with these arguments, or as JSON text, if it needs that.
std::optional<std::string> call_text(const ChatTemplate& chat_template, const ToolJson& arguments) {
  const auto plain = rendered(chat_template, conversation({{"content", "@"}}));
  if (!plain) return std::nullopt;
  for (const ToolJson& given : {arguments, ToolJson(arguments.dump())}) {
    const ToolJson call = {{"id", "abcdef123"},
                           {"type", "function"},
                           {"function", {{"name", kName}, {"arguments", given}}}};
    const auto text =
        rendered(chat_template, conversation({{"content", ""}, {"tool_calls", {call}}}));
    if (!text || text->find(kName) == std::string::npos) continue;
    const auto first = std::ranges::mismatch(*plain, *text).in2 - text->begin();
    size_t last = 0;
    while (last < plain->size() && last + static_cast<size_t>(first) < text->size() &&
           plain->rbegin()[static_cast<std::ptrdiff_t>(last)] ==
               text->rbegin()[static_cast<std::ptrdiff_t>(last)])
      ++last;
    std::string here = text->substr(static_cast<size_t>(first));
    here.resize(here.size() - std::min(last, here.size()));
    if (here.find(kName) != std::string::npos) return here;
  }
  return std::nullopt;
}

std::string trimmed(std::string_view text) {
  while (!text.empty() && is_call_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_call_space(text.back())) text.remove_suffix(1);
  return std::string(text);
}

// A JSON value at the beginning of `text`, and its length; null: there is none.
std::pair<ToolJson, size_t> value_at(std::string_view text) {
  ValueReader reader;
  std::string json;
  for (size_t i = 0; i < text.size(); ++i) {
    const ValueReader::Step step = reader.feed(text[i], json);
    if (step == ValueReader::Step::done) return {ToolJson::parse(json, nullptr, false), i + 1};
    if (step != ValueReader::Step::more) break;
  }
  return {nullptr, 0};
}

// The keys of name and arguments, where `call` has both.
bool read_keys(const ToolJson& call, CallForm& form) {
  if (!call.is_object()) return false;
  if (const auto inner = call.find("function"); inner != call.end() && inner->is_object())
    return read_keys(*inner, form);
  std::string name, arguments;
  for (const auto& [key, value] : call.items()) {
    if (value == std::string(kName)) name = key;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (text.find(kKey) != std::string::npos) arguments = key;
  }
  if (name.empty() || arguments.empty()) return false;
  form.name_keys = {name}, form.argument_keys = {arguments};
  return true;
}

// {"name": ..., "arguments": ...}, alone or in a list.
std::optional<CallForm> json_form(std::string_view text) {
  for (size_t i = 0; i < text.find(kName); ++i) {
    if (text[i] != '{' && text[i] != '[') continue;
    const auto [value, length] = value_at(text.substr(i));
    if (length == 0 || text.substr(i, length).find(kName) == std::string_view::npos) continue;
    CallForm form{.shape = CallShape::json,
                  .begin = trimmed(text.substr(0, i)),
                  .end = trimmed(text.substr(i + length)),
                  .list = value.is_array()};
    if (form.list && value.size() != 1) return std::nullopt;
    if (read_keys(form.list ? value[0] : value, form)) return form;
  }
  return std::nullopt;
}

// A name, then JSON.
std::optional<CallForm> named_form(std::string_view text) {
  const size_t name = text.find(kName), behind = name + kName.size();
  const size_t brace = text.find('{', behind);
  if (brace == std::string_view::npos) return std::nullopt;
  const auto [value, length] = value_at(text.substr(brace));
  if (!value.is_object() || !value.contains(std::string(kKey))) return std::nullopt;
  const std::string begin = trimmed(text.substr(0, name));
  if (begin.empty()) return std::nullopt;
  return CallForm{.shape = CallShape::named,
                  .begin = begin,
                  .end = trimmed(text.substr(brace + length)),
                  .name_end = trimmed(text.substr(behind, brace - behind))};
}

// A name, then arguments between tags. `text` has two arguments.
std::optional<CallForm> tagged_form(std::string_view text) {
  size_t at = 0;
  const auto part = [&](std::string_view until) {
    const size_t end = text.find(until, at);
    if (end == std::string_view::npos) return std::optional<std::string_view>();
    const std::string_view found = text.substr(at, end - at);
    at = end + until.size();
    return std::optional(found);
  };
  const auto begin = part(kName), before = part(kKey), middle = part(kValue), between = part(kKey2);
  if (!begin || !before || !middle || !between || !part(kValue2)) return std::nullopt;
  // What stands before both keys ends with a tag's opening.
  const size_t tag = before->find_last_of("<["), tag2 = between->find_last_of("<[");
  if (tag == std::string_view::npos || tag2 == std::string_view::npos || trimmed(*begin).empty() ||
      before->substr(tag) != between->substr(tag2))
    return std::nullopt;
  CallForm form{.shape = CallShape::tagged,
                .begin = trimmed(*begin),
                .name_end = trimmed(before->substr(0, tag)),
                .key_begin = std::string(before->substr(tag)),
                .key_end = trimmed(*middle),
                .value_end = trimmed(between->substr(0, tag2))};
  form.lines = middle->ends_with('\n') && between->starts_with('\n');
  if (const size_t split = form.key_end.find('<', 1); split != std::string::npos) {
    form.value_begin = form.key_end.substr(split);
    form.key_end = trimmed(std::string_view(form.key_end).substr(0, split));
  }
  const std::string end = trimmed(text.substr(at));
  if (form.value_end.empty() || form.key_end.empty() || !end.starts_with(form.value_end))
    return std::nullopt;
  form.end = trimmed(std::string_view(end).substr(form.value_end.size()));
  if (form.end.empty()) return std::nullopt;
  return form;
}

// f(a="x"), or a list of it.
std::optional<CallForm> python_form(std::string_view text) {
  const size_t name = text.find(kName);
  if (!text.substr(name + kName.size()).starts_with("(" + std::string(kKey) + "=")) return {};
  const size_t close = text.rfind(')');
  std::string begin = trimmed(text.substr(0, name)), end = trimmed(text.substr(close + 1));
  const bool list = begin.ends_with('[') && end.starts_with(']');
  if (list) {
    begin = trimmed(std::string_view(begin).substr(0, begin.size() - 1));
    end = trimmed(std::string_view(end).substr(1));
  }
  return CallForm{
      .shape = CallShape::python, .begin = begin, .end = end, .list = list, .known_only = true};
}

}  // namespace

std::optional<ToolDialect> derive_dialect(const ChatTemplate& chat_template) {
  const ToolJson one = {{kKey, kValue}}, two = {{kKey, kValue}, {kKey2, kValue2}};
  const auto text = call_text(chat_template, one);
  if (!text) return std::nullopt;
  std::optional<CallForm> form = json_form(*text);
  if (!form) form = named_form(*text);
  if (!form) form = python_form(*text);
  if (!form)
    if (const auto longer = call_text(chat_template, two)) form = tagged_form(*longer);
  if (!form) return std::nullopt;
  const bool in_list = form->list && form->shape != CallShape::tagged;
  form->space = form->shape == CallShape::tagged ? "\n" : "";
  return ToolDialect{
      .name = "generic", .forms = {std::move(*form)}, .separator = in_list ? ", " : "\n"};
}

}  // namespace quern
