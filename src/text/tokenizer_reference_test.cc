// Real tokenizers against the reference (tests/reference/tokenizer_ids.py): each is built from its
// tokenizer.json and again from the GGUF vocabulary made of it; both must give the reference's ids.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "support/packed_strings.h"
#include "text/tokenizer.h"

namespace quern {
namespace {

using testing::Arrays;
using testing::ints;
using testing::lists;
using testing::strings;
using testing::text_reference;

struct Packed {
  std::vector<std::string> tokens;  // by id; holes are empty
  std::vector<std::pair<std::string, std::string>> merges;
};

// A BPE from its merges: the first merge that makes a token gives it the next of made_ids, or the
// next id that is no base token's.
Packed unpacked(const Arrays& arrays) {
  Packed out;
  const std::vector<std::string> base = strings(arrays, "base");
  const std::vector<int32_t> base_ids = ints(arrays, "base_ids");
  const auto put = [&](int32_t id, const std::string& token) {
    out.tokens.resize(std::max(out.tokens.size(), static_cast<size_t>(id) + 1));
    out.tokens[static_cast<size_t>(id)] = token;
  };
  for (size_t i = 0; i < base.size(); ++i) put(base_ids[i], base[i]);
  const bool shares = arrays.contains("merges_of");
  const Arrays owner = shares ? text_reference(strings(arrays, "merges_of").front()) : arrays;
  if (!owner.contains("merges")) return out;
  const auto pairs = owner.at("merges").as<uint8_t>();
  const std::vector<int32_t> made_ids = ints(arrays, "made_ids");
  std::unordered_set<std::string> known(base.begin(), base.end());
  size_t n_made = 0, next = 0;
  for (size_t i = 0; i < pairs.size(); i += 6) {
    const auto token_at = [&](size_t at) -> const std::string& {
      return out.tokens.at(pairs[at] | pairs[at + 1] << 8 | pairs[at + 2] << 16);
    };
    out.merges.emplace_back(token_at(i), token_at(i + 3));
    const std::string token = out.merges.back().first + out.merges.back().second;
    if (!known.insert(token).second) continue;
    while (made_ids.empty() && next < out.tokens.size() && !out.tokens[next].empty()) ++next;
    put(made_ids.empty() ? static_cast<int32_t>(next) : made_ids[n_made++], token);
  }
  return out;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      char digits[3] = "00";
      digits[0] = "01"[c >> 4];
      digits[1] = "0123456789abcdef"[c & 15];
      out += std::string("\\u00") + digits;
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void replace(std::string& text, const std::string& placeholder, const std::string& value) {
  const size_t at = text.find(placeholder);
  if (at != std::string::npos) text.replace(at, placeholder.size(), value);
}

std::string json_of(const Arrays& arrays, const Packed& packed) {
  std::string json = strings(arrays, "json").front();
  const std::vector<int32_t> added_only = ints(arrays, "added_only");
  std::string vocabulary = "{", merges = "[";
  for (size_t id = 0; id < packed.tokens.size(); ++id) {
    if (packed.tokens[id].empty()) continue;
    if (std::ranges::binary_search(added_only, static_cast<int32_t>(id))) continue;
    if (vocabulary.size() > 1) vocabulary += ',';
    vocabulary += quoted(packed.tokens[id]) + ':' + std::to_string(id);
  }
  for (const auto& [left, right] : packed.merges) {
    if (merges.size() > 1) merges += ',';
    merges += '[' + quoted(left) + ',' + quoted(right) + ']';
  }
  replace(json, "@VOCAB@", vocabulary + '}');
  replace(json, "@MERGES@", merges + ']');
  return json;
}

Vocabulary vocabulary_of(const Arrays& arrays, const Packed& packed) {
  Vocabulary v;
  v.kind = strings(arrays, "kind").front();
  v.pre = strings(arrays, "pre").front();
  v.tokens = packed.tokens;
  v.types.assign(v.tokens.size(), TokenType::normal);
  for (const auto& [name, type] :
       std::map<std::string, TokenType>{{"control", TokenType::control},
                                        {"user", TokenType::user_defined},
                                        {"byte", TokenType::byte},
                                        {"unknown", TokenType::unknown},
                                        {"unused", TokenType::unused}}) {
    for (const int32_t id : ints(arrays, name)) v.types[static_cast<size_t>(id)] = type;
  }
  for (const int32_t id : ints(arrays, "unused")) {
    v.tokens[static_cast<size_t>(id)] = "[PAD" + std::to_string(id) + "]";
  }
  for (const int32_t id : ints(arrays, "unknown")) v.unknown = id;
  if (arrays.contains("scores")) {
    const auto scores = arrays.at("scores").as<float>();
    v.scores.assign(scores.begin(), scores.end());
  } else if (v.kind == "gpt2") {
    for (const auto& [left, right] : packed.merges) v.merges.push_back(left + ' ' + right);
  }
  if (arrays.contains("charsmap")) {
    const auto map = arrays.at("charsmap").as<uint8_t>();
    v.precompiled_charsmap.assign(map.begin(), map.end());
  }
  for (const int32_t flag : ints(arrays, "add_space_prefix")) {
    v.add_space_prefix = static_cast<int8_t>(flag);
  }
  return v;
}

class ReferenceTokenizer : public ::testing::TestWithParam<const char*> {
 protected:
  const std::vector<std::string> texts_ = strings(text_reference("texts"), "texts");
  const Arrays arrays_ = text_reference(GetParam());
  const Packed packed_ = unpacked(arrays_);

  // The reference's Unigram model takes a typed "</s>" for the token even where special tokens are
  // to be plain text; here it stays text.
  bool finds_typed_markers(const std::vector<int32_t>& plain) const {
    const std::vector<int32_t> control = ints(arrays_, "control");
    return std::ranges::any_of(plain, [&](int32_t id) { return std::ranges::count(control, id); });
  }

  void expect_ids(const Tokenizer& tokenizer, const std::string& name, EncodeOptions options) {
    const auto want = lists(arrays_, name);
    ASSERT_EQ(want.size(), texts_.size());
    for (size_t i = 0; i < texts_.size(); ++i) {
      auto ids = tokenizer.encode(texts_[i], options);
      ASSERT_TRUE(ids) << ids.error().what;
      if (name == "plain" && finds_typed_markers(want[i])) {
        for (const int32_t id : ints(arrays_, "control"))
          EXPECT_EQ(std::ranges::count(*ids, id), 0);
        continue;
      }
      EXPECT_EQ(*ids, want[i]) << name << " " << ::testing::PrintToString(texts_[i]);
    }
  }

  void expect_decoded(const Tokenizer& tokenizer) {
    const auto ids = lists(arrays_, "plain");
    const auto want = strings(arrays_, "decoded");
    for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(tokenizer.decode(ids[i], true), want[i]);
  }
};

TEST(ReferenceFiles, OnlyUnigramFindsTypedMarkers) {
  for (const char* name :
       {"smollm2", "gpt2", "qwen3", "deepseek_v3", "mistral_nemo", "mistral_7b"}) {
    const Arrays arrays = text_reference(name);
    for (const int32_t id : ints(arrays, "control")) {
      EXPECT_EQ(std::ranges::count(ints(arrays, "plain"), id), 0) << name;
    }
  }
}

TEST_P(ReferenceTokenizer, FromJson) {
  auto tokenizer = Tokenizer::from_json(json_of(arrays_, packed_));
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  expect_ids(*tokenizer, "plain", {});
  expect_ids(*tokenizer, "special", {.parse_special = true});
  expect_ids(*tokenizer, "framed", {.parse_special = true, .add_special = true});
  expect_decoded(*tokenizer);
}

TEST_P(ReferenceTokenizer, FromGgufVocabulary) {
  auto tokenizer = Tokenizer::from_vocabulary(vocabulary_of(arrays_, packed_));
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  expect_ids(*tokenizer, "plain", {});
  expect_ids(*tokenizer, "special", {.parse_special = true});
  expect_decoded(*tokenizer);
}

// Bytes of single tokens, put together, are the text again: nothing of it is lost in streaming.
TEST_P(ReferenceTokenizer, BytesOfTokensMakeTheText) {
  const Vocabulary v = vocabulary_of(arrays_, packed_);
  if (v.kind != "gpt2" && v.kind != "llama") return;  // the others normalise text away
  auto tokenizer = Tokenizer::from_vocabulary(v);
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  const auto ids = lists(arrays_, "plain");
  const auto want = strings(arrays_, "decoded");
  for (size_t i = 0; i < ids.size(); ++i) {
    std::string bytes;
    for (const int32_t id : ids[i]) bytes += tokenizer->bytes(id, true);
    if (v.kind == "llama" && v.add_space_prefix == 1 && !bytes.empty()) {
      ASSERT_EQ(bytes[0], ' ');
      bytes.erase(0, 1);
    }
    EXPECT_EQ(bytes, want[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Real, ReferenceTokenizer,
                         ::testing::Values("smollm2", "gpt2", "qwen1_5", "qwen2_5", "qwen3",
                                           "deepseek_v3", "mistral_nemo", "mistral_7b", "yi",
                                           "unigram", "word_piece"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace quern
