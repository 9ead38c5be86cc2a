#include "openai/logprobs.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/utf8_stream.h"

namespace quern::openai {

namespace {

std::string name_of(const TokenTexts& texts, int32_t id) {
  return token_name(texts.bytes(id), texts.spelling(id));
}

Json token_json(const TokenTexts& texts, int32_t id, float logprob) {
  const std::string bytes = texts.bytes(id);
  return {{"token", to_valid_utf8(bytes.empty() ? texts.spelling(id) : bytes)},
          {"logprob", logprob},
          {"bytes", bytes_json(bytes)}};
}

int64_t characters(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
}

// Where tokens stand in the text that their bytes make.
class Offsets {
 public:
  // Of the next token. Whether its first byte belongs to a character that was begun or breaks it
  // off shows where the text would end behind that byte.
  int64_t next(std::string_view bytes) {
    int64_t offset = complete_;
    if (!bytes.empty()) {
      Utf8Stream ahead = stream_;
      const std::string first = ahead.push(bytes.substr(0, 1));
      offset += characters(first + ahead.flush()) - 1;
    }
    complete_ += characters(stream_.push(bytes));
    return offset;
  }

 private:
  Utf8Stream stream_;
  int64_t complete_ = 0;  // characters
};

Json top_json(const TokenTexts& texts, const TokenLogprobs& token) {
  Json top = Json::object();
  for (const TokenProb& other : token.top) top.emplace(name_of(texts, other.id), other.logprob);
  top[name_of(texts, token.id)] = token.logprob;
  return top;
}

}  // namespace

std::string token_name(std::string_view bytes, std::string_view spelling) {
  if (bytes.empty()) return to_valid_utf8(spelling);
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string name = "bytes:";
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~' && c != '\\')
      name += c;
    else
      name += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return name;
}

Json bytes_json(std::string_view bytes) {
  Json json = Json::array();
  for (const char c : bytes) json.push_back(static_cast<unsigned char>(c));
  return json;
}

Json chat_logprobs(const TokenTexts& texts, std::span<const TokenLogprobs> tokens) {
  Json content = Json::array();
  for (const TokenLogprobs& token : tokens) {
    Json entry = token_json(texts, token.id, token.logprob);
    entry["top_logprobs"] = Json::array();
    for (const TokenProb& other : token.top)
      entry["top_logprobs"].push_back(token_json(texts, other.id, other.logprob));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

Json text_logprobs(const TokenTexts& texts, std::span<const TokenLogprobs> tokens) {
  Json json = {{"tokens", Json::array()},
               {"token_logprobs", Json::array()},
               {"top_logprobs", Json::array()},
               {"text_offset", Json::array()}};
  Offsets offsets;
  for (const TokenLogprobs& token : tokens) {
    json["tokens"].push_back(name_of(texts, token.id));
    json["token_logprobs"].push_back(token.logprob);
    json["top_logprobs"].push_back(top_json(texts, token));
    json["text_offset"].push_back(offsets.next(texts.bytes(token.id)));
  }
  return json;
}

}  // namespace quern::openai
