#include "api/vocabulary_from_gguf.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace quern {
namespace {

constexpr std::string_view kKeys = "tokenizer.ggml.";

struct IdKey {
  std::string_view key;
  int32_t Vocabulary::*member;
};
constexpr IdKey kIds[] = {
    {"bos_token_id", &Vocabulary::bos},
    {"eos_token_id", &Vocabulary::eos},
    {"unknown_token_id", &Vocabulary::unknown},
    {"seperator_token_id", &Vocabulary::separator},  // GGUF's spelling
    {"separator_token_id", &Vocabulary::separator},
    {"padding_token_id", &Vocabulary::padding},
    {"cls_token_id", &Vocabulary::cls},
    {"mask_token_id", &Vocabulary::mask},
};

// Files of these architectures come without tokenizer.ggml.pre: BitNet b1.58 2B-4T has Llama 3's
// vocabulary.
struct PreOf {
  std::string_view architecture, pre;
};
constexpr PreOf kPreOf[] = {{"bitnet-25", "llama-bpe"}, {"bitnet-b1.58", "llama-bpe"}};

struct FlagKey {
  std::string_view key;
  int8_t Vocabulary::*member;
};
constexpr FlagKey kFlags[] = {
    {"add_bos_token", &Vocabulary::add_bos},
    {"add_eos_token", &Vocabulary::add_eos},
    {"add_space_prefix", &Vocabulary::add_space_prefix},
    {"remove_extra_whitespaces", &Vocabulary::remove_extra_whitespaces},
};

constexpr std::string_view kEndIdKeys[] = {"eot_token_id", "eom_token_id"};

// Files that name no end of turn have it among their control tokens.
constexpr std::string_view kEndPieces[] = {
    "<|im_end|>", "<|eot_id|>",      "<|eom_id|>",    "<end_of_turn>",
    "<|end|>",    "<|end_of_text|>", "<|endoftext|>",
};

class Reader {
 public:
  explicit Reader(const WeightSource& source) : source_(source) {}

  Result<Vocabulary> read() {
    TRY_OK(read_tokens());
    TRY_OK(read_ids());
    TRY_OK(read_flags());
    TRY_OK(read_types());
    TRY_OK(read_scores());
    TRY_OK(read_charsmap());
    add_end_pieces();
    return std::move(vocabulary_);
  }

 private:
  Error bad(std::string_view key, const std::string& what) const {
    return {Code::corrupt, "key " + std::string(kKeys) + std::string(key) + " " + what,
            source_.path(), "the file is damaged or was made by a broken converter"};
  }

  bool has(std::string_view key) const {
    return source_.metadata().entries.contains(std::string(kKeys) + std::string(key));
  }

  // Null where absent; an error where of another type.
  template <class T>
  Result<const T*> get(std::string_view key) const {
    const T* value = source_.metadata().get<T>(std::string(kKeys) + std::string(key));
    if (!value && has(key)) return bad(key, "is of an unexpected type");
    return value;
  }

  size_t n_tokens() const { return vocabulary_.tokens.size(); }

  Result<> check_id(std::string_view key, int64_t id) const {
    if (id >= 0 && id < static_cast<int64_t>(n_tokens())) return Ok{};
    return bad(key, "is " + std::to_string(id) + ", the vocabulary has " +
                        std::to_string(n_tokens()) + " tokens");
  }

  Result<> check_length(std::string_view key, size_t n) const {
    if (n == n_tokens()) return Ok{};
    return bad(
        key, "has " + std::to_string(n) + " values for " + std::to_string(n_tokens()) + " tokens");
  }

  Result<> read_tokens() {
    TRY(const auto* kind, get<std::string>("model"));
    TRY(const auto* pre, get<std::string>("pre"));
    TRY(const auto* tokens, get<std::vector<std::string>>("tokens"));
    TRY(const auto* merges, get<std::vector<std::string>>("merges"));
    if (!kind) return bad("model", "is missing");
    if (!tokens || tokens->empty()) return bad("tokens", "is missing or empty");
    vocabulary_.kind = *kind;
    vocabulary_.tokens = *tokens;
    if (pre) {
      vocabulary_.pre = *pre;
    } else if (*kind == "gpt2") {
      const auto* row = std::ranges::find(kPreOf, source_.architecture(), &PreOf::architecture);
      if (row != std::end(kPreOf)) vocabulary_.pre = row->pre;
    }
    if (merges) vocabulary_.merges = *merges;
    return Ok{};
  }

  Result<> read_ids() {
    for (const IdKey& row : kIds) {
      TRY(const auto* id, get<int64_t>(row.key));
      // Some converters write -1 or 2^32 - 1 where there is no such token.
      if (!id || *id == -1 || *id == UINT32_MAX) continue;
      TRY_OK(check_id(row.key, *id));
      vocabulary_.*row.member = static_cast<int32_t>(*id);
    }
    for (const std::string_view key : kEndIdKeys) {
      TRY(const auto* id, get<int64_t>(key));
      if (!id || *id == -1 || *id == UINT32_MAX) continue;
      TRY_OK(check_id(key, *id));
      vocabulary_.end_of_turn.push_back(static_cast<int32_t>(*id));
    }
    return Ok{};
  }

  Result<> read_flags() {
    for (const FlagKey& row : kFlags) {
      TRY(const auto* flag, get<bool>(row.key));
      if (flag) vocabulary_.*row.member = *flag ? 1 : 0;
    }
    return Ok{};
  }

  Result<> read_types() {
    TRY(const auto* types, get<std::vector<int64_t>>("token_type"));
    if (!types) return Ok{};
    TRY_OK(check_length("token_type", types->size()));
    for (const int64_t type : *types) {
      if (type < 0 || type > static_cast<int64_t>(TokenType::byte))
        return bad("token_type", "holds " + std::to_string(type) + ", expected 0 to 6");
      vocabulary_.types.push_back(static_cast<TokenType>(type));
    }
    return Ok{};
  }

  Result<> read_scores() {
    TRY(const auto* scores, get<std::vector<double>>("scores"));
    if (!scores) return Ok{};
    TRY_OK(check_length("scores", scores->size()));
    vocabulary_.scores.assign(scores->begin(), scores->end());
    return Ok{};
  }

  Result<> read_charsmap() {
    TRY(const auto* bytes, get<std::vector<int64_t>>("precompiled_charsmap"));
    if (!bytes) return Ok{};
    // Written as int8 by some converters, as uint8 by others.
    for (const int64_t byte : *bytes) {
      if (byte < -128 || byte > 255) return bad("precompiled_charsmap", "holds more than bytes");
      vocabulary_.precompiled_charsmap.push_back(static_cast<uint8_t>(byte));
    }
    return Ok{};
  }

  bool may_be_control(size_t id) const {
    if (vocabulary_.types.empty()) return true;
    const TokenType type = vocabulary_.types[id];
    return type == TokenType::control || type == TokenType::user_defined;
  }

  void add_end_pieces() {
    for (size_t id = 0; id < n_tokens(); ++id) {
      const auto& piece = vocabulary_.tokens[id];
      if (std::find(std::begin(kEndPieces), std::end(kEndPieces), piece) != std::end(kEndPieces) &&
          may_be_control(id))
        vocabulary_.end_of_turn.push_back(static_cast<int32_t>(id));
    }
  }

  const WeightSource& source_;
  Vocabulary vocabulary_;
};

}  // namespace

Result<Vocabulary> read_vocabulary(const WeightSource& source) {
  const auto kind = source.metadata().text(std::string(kKeys) + "model");
  const bool has_kind = source.metadata().entries.contains(std::string(kKeys) + "model");
  if (!has_kind || kind == "no_vocab") {
    return Error{Code::not_found, "the file holds no tokenizer", source.path(),
                 "use a file with tokenizer.ggml.* keys"};
  }
  return Reader(source).read();
}

std::vector<int32_t> end_ids(const Vocabulary& vocabulary) {
  std::vector<int32_t> ids = vocabulary.end_of_turn;
  if (vocabulary.eos >= 0) ids.push_back(vocabulary.eos);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace quern
