// Real tokenizers against the reference (tests/reference/tokenizer_ids.py): each is built from its
// tokenizer.json and again from the GGUF vocabulary made of it; both must give the reference's ids.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/reference_tokenizer.h"
#include "text/tokenizer.h"

namespace quern {
namespace {

using testing::Arrays;
using testing::ints;
using testing::json_of;
using testing::lists;
using testing::Packed;
using testing::strings;
using testing::text_reference;
using testing::unpacked;
using testing::vocabulary_of;

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
