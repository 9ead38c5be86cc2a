#include "tool_calls/marked_text.h"

#include <gtest/gtest.h>

#include "support/reference_tokenizer.h"

namespace quern {
namespace {

using Pieces = std::vector<MarkedText::Piece>;

const Tokenizer& tokenizer() {
  static const Tokenizer kMade = [] {
    const auto arrays = testing::text_reference("smollm2");
    const auto packed = testing::unpacked(arrays);
    auto made = Tokenizer::from_vocabulary(testing::vocabulary_of(arrays, packed));
    CHECK(static_cast<bool>(made), "a reference vocabulary is good");
    return *made;
  }();
  return kMade;
}

std::vector<int32_t> ids_of(std::string_view text) {
  return *tokenizer().encode(text, {.parse_special = true, .add_special = false});
}

TEST(MarkedText, ControlTokensComeBehindTheTextBeforeThem) {
  MarkedText marked(tokenizer());
  EXPECT_EQ(marked.push("a bc d", ids_of("a b<|im_start|>c d<|im_end|>")),
            (Pieces{{"a b"}, {"<|im_start|>", true}, {"c d"}, {"<|im_end|>", true}}));
}

TEST(MarkedText, TextMayComeLaterThanItsIds) {
  MarkedText marked(tokenizer());
  EXPECT_EQ(marked.push("", ids_of("one<|im_start|>two")), Pieces());
  EXPECT_EQ(marked.push("on", {}), (Pieces{{"on"}}));
  EXPECT_EQ(marked.push("e", {}), (Pieces{{"e"}, {"<|im_start|>", true}}));
  EXPECT_EQ(marked.push("two", ids_of("<|im_end|>")), (Pieces{{"two"}, {"<|im_end|>", true}}));
}

TEST(MarkedText, NothingComesBehindAStop) {
  MarkedText marked(tokenizer());
  EXPECT_EQ(marked.push("one", ids_of("one stop<|im_start|>")), (Pieces{{"one"}}));
}

TEST(MarkedText, HalvesOfCharactersAreCountedAsTheEngineDoes) {
  MarkedText marked(tokenizer());
  const auto ids = ids_of("\xF0\x9F\xA6\x99");
  ASSERT_GT(ids.size(), 1u);
  EXPECT_EQ(marked.push("", std::span(ids).first(1)), Pieces());
  EXPECT_EQ(marked.push("\xF0\x9F\xA6\x99", std::span(ids).subspan(1)),
            (Pieces{{"\xF0\x9F\xA6\x99"}}));
  EXPECT_EQ(marked.push("", ids_of("<|im_end|>")), (Pieces{{"<|im_end|>", true}}));
}

}  // namespace
}  // namespace quern
