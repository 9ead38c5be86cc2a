// Text to token ids and back, by the Hugging Face `tokenizers` crate (rust/text).
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/vocabulary.h"

struct quern_text_tokenizer;

namespace quern {

struct EncodeOptions {
  bool parse_special = false;  // "<|im_end|>" typed in the text becomes the control token;
                               // otherwise it is plain text
  bool add_special = false;    // BOS and EOS as the tokenizer's own rule says
};

// A stretch of bytes [first, last) of a text.
struct TextRange {
  size_t first, last;
};

// Thread-safe after construction; copies are cheap and share one object.
class Tokenizer {
 public:
  // tokenizer.json of a Hugging Face folder. Errors: corrupt.
  static Result<Tokenizer> from_json(std::string_view tokenizer_json);
  // Errors: corrupt (contradicting vocabulary), unsupported (unknown kind or pre-tokenizer, with
  // the known ones).
  static Result<Tokenizer> from_vocabulary(const Vocabulary& vocabulary);

  // From the `tables()` of an earlier tokenizer, in place of what those were made of: a large
  // vocabulary takes half a second of a core, this some milliseconds. They are checked as a
  // stranger's, and viewed: `owner` keeps their memory. Errors: corrupt, unsupported (of another
  // version).
  static Result<Tokenizer> from_tables(std::span<const std::byte> tables,
                                       std::shared_ptr<const void> owner);
  // Views this object. Empty where the kind has none: tokenizer.json, "bert", "t5".
  std::span<const std::byte> tables() const;

  // Text is taken byte for byte, nothing trimmed; bytes that are not UTF-8 are replaced by U+FFFD,
  // as the reference does.
  Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options = {}) const;
  // As encode with parse_special everywhere but in `plain` (ascending, disjoint): there, special
  // tokens are plain text. This is how a rendered chat is encoded: the template's own markers
  // count, those typed by users do not.
  Result<std::vector<int32_t>> encode_mixed(std::string_view text, std::span<const TextRange> plain,
                                            bool add_special) const;

  // The exact bytes of one token inside a running text; part of a UTF-8 sequence is possible.
  // Control tokens give their name if `special`, else nothing. Ids outside the vocabulary give
  // nothing.
  std::string bytes(int32_t id, bool special) const;
  // The whole sequence as text, with what the decoder does at its start (SentencePiece drops one
  // leading space).
  std::string decode(std::span<const int32_t> ids, bool special) const;
  // The vocabulary's own spelling of a token ("Ġthe"); empty outside the vocabulary.
  std::string piece(int32_t id) const;
  std::optional<int32_t> id_of(std::string_view piece) const;

  int n_vocab() const;
  bool is_special(int32_t id) const;
  // Merges of the vocabulary that were left out, as a part or the result is no token of it.
  size_t n_skipped_merges() const;

  // The C ABI's object, for grammars (grammar.cc); it lives as long as a copy of this does.
  const quern_text_tokenizer* handle() const;

 private:
  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace quern
