#include "api/vocabulary_from_gguf.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include "api/end_tokens.h"

namespace quern {
namespace {

constexpr std::string_view kKeys = "tokenizer.ggml.";

struct IdKey {
  std::string_view key;
  int32_t Vocabulary::*member;  // null: only the turn's end, or nothing here, needs it
  bool ends = false;            // generation stops at this token
};
constexpr IdKey kIds[] = {
    {"bos_token_id", &Vocabulary::bos},
    {"eos_token_id", &Vocabulary::eos, true},
    {"eot_token_id", nullptr, true},
    {"eom_token_id", nullptr, true},
    {"unknown_token_id", &Vocabulary::unknown},
    {"seperator_token_id", &Vocabulary::separator},  // GGUF's spelling
    {"separator_token_id", &Vocabulary::separator},
    {"padding_token_id", &Vocabulary::padding},
    {"cls_token_id", &Vocabulary::cls},
    {"mask_token_id", &Vocabulary::mask},
    {"fim_pre_token_id", nullptr},
    {"fim_suf_token_id", nullptr},
    {"fim_mid_token_id", nullptr},
    // A model that fills in the middle goes on to the next file with these.
    {"fim_pad_token_id", nullptr, true},
    {"fim_rep_token_id", nullptr, true},
    {"fim_sep_token_id", nullptr, true},
    {"prefix_token_id", nullptr},  // older names of fim_pre, fim_suf, fim_mid
    {"suffix_token_id", nullptr},
    {"middle_token_id", nullptr},
};
constexpr std::string_view kEndIdsKey = "eos_token_ids";  // Ollama's: a list

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
    {"normalizer.lowercase", &Vocabulary::lowercase},
    {"normalizer.strip_accents", &Vocabulary::strip_accents},
    {"normalizer.clean_text", &Vocabulary::clean_text},
    {"normalizer.handle_chinese_chars", &Vocabulary::handle_chinese_chars},
};

std::string file_name(const WeightSource& source) {
  return std::filesystem::path(source.path()).filename().string();
}

class Reader {
 public:
  Reader(const WeightSource& source, std::vector<std::string>* notes)
      : source_(source), notes_(notes) {}

  Result<Vocabulary> read() {
    TRY_OK(read_tokens());
    TRY_OK(read_ids());
    TRY_OK(read_flags());
    TRY_OK(read_types());
    TRY_OK(read_scores());
    TRY_OK(read_charsmap());
    add_known_ends(vocabulary_);
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

  Result<> check_length(std::string_view key, size_t n) const {
    if (n == n_tokens()) return Ok{};
    return bad(
        key, "has " + std::to_string(n) + " values for " + std::to_string(n_tokens()) + " tokens");
  }

  Result<> read_tokens() {
    TRY(const auto* kind, get<std::string>("model"));
    TRY(const auto* pre, get<std::string>("pre"));
    TRY(const auto* tokens, get<StringArray>("tokens"));
    TRY(const auto* merges, get<StringArray>("merges"));
    if (!kind) return bad("model", "is missing");
    if (!tokens || tokens->empty()) return bad("tokens", "is missing or empty");
    vocabulary_.kind = *kind;
    vocabulary_.tokens.assign(tokens->begin(), tokens->end());
    if (pre) {
      vocabulary_.pre = *pre;
    } else if (*kind == "gpt2") {
      const auto* row = std::ranges::find(kPreOf, source_.architecture(), &PreOf::architecture);
      if (row != std::end(kPreOf)) vocabulary_.pre = row->pre;
    }
    if (merges) vocabulary_.merges = *merges;
    return Ok{};
  }

  // Whether the file means a token of its vocabulary by it. Some converters write -1 or 2^32 - 1
  // where there is no such token.
  bool usable(std::string_view key, int64_t id, std::string& outside) const {
    if (id >= 0 && id < static_cast<int64_t>(n_tokens())) return true;
    if (id == -1 || id == UINT32_MAX) return false;
    outside += (outside.empty() ? "" : ", ") + std::string(key) + " " + std::to_string(id);
    return false;
  }

  Result<> read_ids() {
    std::string outside;
    for (const IdKey& row : kIds) {
      TRY(const auto* id, get<int64_t>(row.key));
      if (!id || !usable(row.key, *id, outside)) continue;
      if (row.member) vocabulary_.*row.member = static_cast<int32_t>(*id);
      if (row.ends) add_end(vocabulary_, static_cast<int32_t>(*id), row.key);
    }
    TRY(const auto* ids, get<std::vector<int64_t>>(kEndIdsKey));
    for (size_t i = 0; ids && i < ids->size(); ++i) {
      if (usable(kEndIdsKey, (*ids)[i], outside))
        add_end(vocabulary_, static_cast<int32_t>((*ids)[i]), kEndIdsKey);
    }
    if (!outside.empty() && notes_) {
      notes_->push_back(file_name(source_) + ": passed over, as the vocabulary has " +
                        std::to_string(n_tokens()) + " tokens: " + outside);
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

  const WeightSource& source_;
  std::vector<std::string>* notes_;
  Vocabulary vocabulary_;
};

}  // namespace

Result<Vocabulary> read_vocabulary(const WeightSource& source, std::vector<std::string>* notes) {
  const auto kind = source.metadata().text(std::string(kKeys) + "model");
  const bool has_kind = source.metadata().entries.contains(std::string(kKeys) + "model");
  if (!has_kind || kind == "no_vocab") {
    return Error{Code::not_found, "the file holds no tokenizer", source.path(),
                 "use a file with tokenizer.ggml.* keys"};
  }
  return Reader(source, notes).read();
}

std::vector<int32_t> end_ids(const Vocabulary& vocabulary) {
  std::vector<int32_t> ids;
  for (const EndToken& end : vocabulary.ends) ids.push_back(end.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace quern
