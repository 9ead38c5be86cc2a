// Log-probabilities in OpenAI's two shapes. In that of completions a token is known by its name
// alone, so names tell tokens apart by their exact bytes.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "openai/json.h"
#include "quern/generation.h"

namespace quern::openai {

// Of a model's tokens, by id: Model::token_bytes and Model::piece.
struct TokenTexts {
  std::function<std::string(int32_t)> bytes, spelling;
};

// The text of whole characters; "bytes:\xf0\x9f" where there is a part of one, as OpenAI writes it:
// printable ASCII as it is, all else as \x and two digits. A token without text, as
// control tokens are, goes by its spelling in the vocabulary.
std::string token_name(std::string_view bytes, std::string_view spelling);

Json bytes_json(std::string_view bytes);  // [240, 159]

// {"content": [{"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}]}]}.
// Here bytes tell a token; it is a text to be read, in which a part of a character is U+FFFD.
Json chat_logprobs(const TokenTexts& texts, std::span<const TokenLogprobs> tokens);

// {"tokens", "token_logprobs", "top_logprobs": [{NAME: LOGPROB}], "text_offset"}. The chosen token
// is always among the top ones, with its own value; of others with one name the likeliest is. An
// offset is the character of the text in which the token's first byte stands.
Json text_logprobs(const TokenTexts& texts, std::span<const TokenLogprobs> tokens);

}  // namespace quern::openai
