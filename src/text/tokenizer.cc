#include "text/tokenizer.h"

#include <cstring>

#include "text/rust_error.h"

namespace quern {
namespace {

template <class Texts>
std::vector<quern_text_view> views_of(const Texts& texts) {
  std::vector<quern_text_view> views;
  views.reserve(texts.size());
  for (const std::string_view text : texts) views.push_back(view_of(text));
  return views;
}

std::vector<int32_t> take(quern_text_ids ids) {
  std::vector<int32_t> copy(ids.data, ids.data + ids.size);
  quern_text_free_ids(ids);
  return copy;
}

Error length_error(const char* what, size_t length, size_t tokens) {
  return {Code::corrupt,
          std::to_string(length) + " " + what + " for " + std::to_string(tokens) + " tokens",
          "tokenizer vocabulary", ""};
}

}  // namespace

struct Tokenizer::State {
  explicit State(quern_text_tokenizer* made) : object(made) {}
  ~State() { quern_text_tokenizer_free(object); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Result<std::vector<int32_t>> encode(std::string_view text, std::span<const TextRange> plain,
                                      bool add_special) const;

  quern_text_tokenizer* const object;
};

Result<std::vector<int32_t>> Tokenizer::State::encode(std::string_view text,
                                                      std::span<const TextRange> plain,
                                                      bool add_special) const {
  static_assert(sizeof(TextRange) == sizeof(quern_text_range));
  std::vector<quern_text_range> ranges;
  ranges.reserve(plain.size());
  for (const TextRange& range : plain) ranges.push_back({range.first, range.last});
  quern_text_ids ids = {};
  quern_text_bytes message = {};
  const quern_text_code code = quern_text_encode(object, view_of(text), ranges.data(),
                                                 ranges.size(), add_special, &ids, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, "tokenizer");
  return take(ids);
}

Result<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json) {
  quern_text_tokenizer* object = nullptr;
  quern_text_bytes message = {};
  const quern_text_code code =
      quern_text_tokenizer_from_json(view_of(tokenizer_json), &object, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, "tokenizer.json");
  return Tokenizer(std::make_shared<const State>(object));
}

Result<Tokenizer> Tokenizer::from_vocabulary(const Vocabulary& v) {
  const size_t n = v.tokens.size();
  if (!v.scores.empty() && v.scores.size() != n) return length_error("scores", v.scores.size(), n);
  if (!v.types.empty() && v.types.size() != n) {
    return length_error("token types", v.types.size(), n);
  }
  static_assert(sizeof(TokenType) == sizeof(int8_t));
  const std::vector<quern_text_view> tokens = views_of(v.tokens);
  const std::vector<quern_text_view> merges = views_of(v.merges);
  quern_text_vocabulary raw = {};
  raw.kind = view_of(v.kind);
  raw.pre = view_of(v.pre);
  raw.tokens = tokens.data();
  raw.n_tokens = n;
  raw.scores = v.scores.empty() ? nullptr : v.scores.data();
  raw.types = v.types.empty() ? nullptr : reinterpret_cast<const int8_t*>(v.types.data());
  raw.merges = merges.data();
  raw.n_merges = merges.size();
  raw.bos = v.bos;
  raw.eos = v.eos;
  raw.unknown = v.unknown;
  raw.separator = v.separator;
  raw.cls = v.cls;
  raw.add_bos = v.add_bos;
  raw.add_eos = v.add_eos;
  raw.add_space_prefix = v.add_space_prefix;
  raw.remove_extra_whitespaces = v.remove_extra_whitespaces;
  raw.lowercase = v.lowercase;
  raw.strip_accents = v.strip_accents;
  raw.clean_text = v.clean_text;
  raw.handle_chinese_chars = v.handle_chinese_chars;
  raw.charsmap = v.precompiled_charsmap.data();
  raw.charsmap_size = v.precompiled_charsmap.size();
  quern_text_tokenizer* object = nullptr;
  quern_text_bytes message = {};
  const quern_text_code code = quern_text_tokenizer_from_vocabulary(&raw, &object, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, "tokenizer vocabulary");
  return Tokenizer(std::make_shared<const State>(object));
}

Result<Tokenizer> Tokenizer::from_tables(std::span<const std::byte> tables,
                                         std::shared_ptr<const void> owner) {
  using Owner = std::shared_ptr<const void>;
  const auto release = [](void* object) { delete static_cast<Owner*>(object); };
  const quern_text_view view = {reinterpret_cast<const char*>(tables.data()), tables.size()};
  quern_text_tokenizer* object = nullptr;
  quern_text_bytes message = {};
  const quern_text_code code = quern_text_tokenizer_from_tables(view, new Owner(std::move(owner)),
                                                                release, &object, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, "tokenizer tables");
  return Tokenizer(std::make_shared<const State>(object));
}

std::span<const std::byte> Tokenizer::tables() const {
  return std::as_bytes(std::span(text_of(quern_text_tokenizer_tables(state_->object))));
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  const TextRange whole = {0, text.size()};
  const size_t n_plain = options.parse_special ? 0 : 1;
  return state_->encode(text, {&whole, n_plain}, options.add_special);
}

Result<std::vector<int32_t>> Tokenizer::encode_mixed(std::string_view text,
                                                     std::span<const TextRange> plain,
                                                     bool add_special) const {
  return state_->encode(text, plain, add_special);
}

std::string Tokenizer::bytes(int32_t id, bool special) const {
  if (!special && is_special(id)) return "";
  return std::string(text_of(quern_text_token_bytes(state_->object, id)));
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool special) const {
  quern_text_bytes text = {}, message = {};
  const quern_text_code code =
      quern_text_decode(state_->object, ids.data(), ids.size(), special, &text, &message);
  if (code == QUERN_TEXT_OK) return quern::take(text);
  quern_text_free_bytes(message);
  // The decoder of a damaged tokenizer.json may fail; the tokens' own bytes are still there.
  std::string joined;
  for (int32_t id : ids) joined += bytes(id, special);
  return joined;
}

std::string Tokenizer::piece(int32_t id) const {
  return std::string(text_of(quern_text_token_piece(state_->object, id)));
}

std::optional<int32_t> Tokenizer::id_of(std::string_view piece) const {
  const int32_t id = quern_text_token_id(state_->object, view_of(piece));
  return id < 0 ? std::nullopt : std::optional(id);
}

const quern_text_tokenizer* Tokenizer::handle() const { return state_->object; }

int Tokenizer::n_vocab() const { return quern_text_vocabulary_size(state_->object); }

size_t Tokenizer::n_skipped_merges() const { return quern_text_skipped_merges(state_->object); }

bool Tokenizer::is_special(int32_t id) const {
  return quern_text_token_is_special(state_->object, id) != 0;
}

}  // namespace quern
