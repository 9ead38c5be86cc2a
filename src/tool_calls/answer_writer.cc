#include "tool_calls/answer_writer.h"

#include <utility>

#include "base/check.h"

namespace quern {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

uint64_t mixed(uint64_t x) {  // splitmix64
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30u)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27u)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31u);
}

}  // namespace

void AnswerWriter::append(AnswerPart part, std::string_view bytes) {
  if (bytes.empty()) return;
  const int call = part == AnswerPart::arguments ? n_calls_ - 1 : -1;
  if (!events_.empty() && events_.back().part == part && events_.back().call == call) {
    events_.back().text += bytes;
  } else {
    events_.push_back({.part = part, .text = std::string(bytes), .call = call});
  }
}

void AnswerWriter::write(Channel& channel, AnswerPart part, std::string_view bytes) {
  for (const char c : bytes) {
    if (is_space(c)) {
      if (channel.leading) continue;
      channel.space += c;
      if (channel.space.size() <= kMostSpace) continue;
      append(part, std::exchange(channel.space, {}));
      continue;
    }
    if (!channel.space.empty()) append(part, std::exchange(channel.space, {}));
    append(part, {&c, 1});
    channel.leading = false;
    channel.any = true;
  }
}

void AnswerWriter::mark() {
  for (Channel* channel : {&text_, &reasoning_}) {
    channel->space.clear();
    channel->leading = true;
  }
}

bool AnswerWriter::may_call(std::string_view name, bool known_only) const {
  return !name.empty() && (!known_only || tools_->find(name));
}

std::string AnswerWriter::make_id(int call) const {
  constexpr std::string_view kLetters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const bool mistral = ids_ == CallIds::mistral;
  std::string id = mistral ? "" : "call_";
  uint64_t state = mixed(id_seed_) ^ static_cast<uint64_t>(call);
  for (int i = 0; i < (mistral ? 9 : 24); ++i) {
    state = mixed(state);
    id += kLetters[state % kLetters.size()];
  }
  return id;
}

void AnswerWriter::begin_call(std::string_view name, std::string_view id) {
  CHECK(!call_open_, "calls come one after the other");
  mark();
  call_open_ = true;
  const int call = n_calls_++;
  std::string its_id = ids_ == CallIds::model && !id.empty() ? std::string(id) : make_id(call);
  events_.push_back({.part = AnswerPart::call_begin,
                     .call = call,
                     .id = std::move(its_id),
                     .name = std::string(name)});
}

void AnswerWriter::arguments(std::string_view json) {
  CHECK(call_open_, "arguments are a call's");
  append(AnswerPart::arguments, json);
}

void AnswerWriter::end_call(bool complete) {
  CHECK(call_open_, "a call ends once");
  call_open_ = false;
  events_.push_back({.part = AnswerPart::call_end, .call = n_calls_ - 1, .complete = complete});
}

void AnswerWriter::finish() {
  append(AnswerPart::reasoning, std::exchange(reasoning_.space, {}));
  append(AnswerPart::text, std::exchange(text_.space, {}));
}

void Answer::add(const AnswerEvent& event) {
  switch (event.part) {
    case AnswerPart::text:
      text += event.text;
      break;
    case AnswerPart::reasoning:
      reasoning += event.text;
      break;
    case AnswerPart::call_begin:
      calls.push_back({.id = event.id, .name = event.name});
      break;
    case AnswerPart::arguments:
      calls.back().arguments += event.text;
      break;
    case AnswerPart::call_end:
      complete &= event.complete;
      break;
  }
}

}  // namespace quern
