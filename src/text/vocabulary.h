// A tokenizer as a GGUF file describes it (tokenizer.ggml.*), ready to become a `tokenizers`
// object. Plain data: the api layer fills it from metadata, text/ knows no files.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/string_array.h"

namespace quern {

// Values of tokenizer.ggml.token_type.
enum class TokenType : int8_t {
  undefined = 0,
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

// A token that ends a turn, and why: the key that names it, or its text.
struct EndToken {
  int32_t id;
  std::string why;
};

struct Vocabulary {
  std::string kind;  // tokenizer.ggml.model: "gpt2", "llama", "bert", "t5"
  std::string pre;   // tokenizer.ggml.pre: "smollm", "llama-bpe", ...; empty where absent
  std::vector<std::string> tokens;
  std::vector<float> scores;     // empty or one per token
  std::vector<TokenType> types;  // empty or one per token
  StringArray merges;            // of a mapped file: views it
  int32_t bos = -1, eos = -1, unknown = -1, separator = -1, padding = -1, cls = -1, mask = -1;
  std::vector<EndToken> ends;  // generation stops at these; each once, eos among them
  // -1 where the file does not say: the kind's own default then holds.
  int8_t add_bos = -1, add_eos = -1, add_space_prefix = -1, remove_extra_whitespaces = -1;
  // How a "bert" vocabulary normalizes text, under the names of `tokenizers`' BertNormalizer.
  // Unsaid: lowercase is guessed from the vocabulary, strip_accents follows it, the others are on.
  int8_t lowercase = -1, strip_accents = -1, clean_text = -1, handle_chinese_chars = -1;
  std::vector<uint8_t> precompiled_charsmap;
};

}  // namespace quern
