#include "api/end_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace quern {
namespace {

constexpr TokenType kNormal = TokenType::normal, kControl = TokenType::control,
                    kUser = TokenType::user_defined;

struct Case {
  std::vector<std::string> tokens;
  std::vector<TokenType> types;  // empty: the file has none
  std::vector<std::string> merges;
  std::vector<int32_t> ends;
};

const Case kCases[] = {
    {{"a", "<EOT>"}, {kNormal, kControl}, {}, {1}},
    {{"a", "<EOT>"}, {kNormal, kNormal}, {}, {1}},
    {{"a", "<EOT>"}, {kNormal, kUser}, {}, {1}},
    {{"a", "<EOT>"}, {kNormal, TokenType::unused}, {}, {1}},
    {{"a", "<EOT>"}, {}, {}, {1}},
    {{"<EOT>", "<EOT>", "</s>"}, {}, {}, {0, 1, 2}},  // every token of that text
    // No end: other case, a part, more around it.
    {{"<eot>", "EOT", "<EOT", "<EOT>\n", "\u2581</s>", "<|END|>", "[EOT] "}, {}, {}, {}},
    // Text that merges make, unless the file says it is a control token.
    {{"[E", "OT]", "[EOT]"}, {kNormal, kNormal, kNormal}, {"[E OT]"}, {}},
    {{"[E", "OT]", "[EOT]"}, {kNormal, kNormal, kUser}, {"[E OT]"}, {}},
    {{"[E", "OT]", "[EOT]"}, {kNormal, kNormal, kControl}, {"[E OT]"}, {2}},
    {{"[E", "OT]", "[EOT]"}, {}, {"[E OT]"}, {}},
    {{"[E", "OT]", "[EOT]"}, {}, {"[E OT}", "[ EOT", "E OT]"}, {2}},  // they make others
    // "</s>" as markup.
    {{"</s>", "</b>"}, {kUser, kUser}, {}, {}},
    {{"</s>", "</strong>"}, {kNormal, kNormal}, {}, {}},
    {{"</s>", "</b>"}, {kControl, kUser}, {}, {0}},
    {{"</s>", "<b>"}, {kNormal, kNormal}, {}, {0}},
    {{"<eos>", "</b>"}, {kNormal, kNormal}, {}, {0}},
    {{"</s>", "<|tool_response>"}, {kControl, kControl}, {}, {1}},
    // "<|end|>" ends a message there.
    {{"<|end|>", "<|return|>", "<|call|>"}, {}, {}, {1, 2}},
    {{"<|end|>", "<|return|>", "<|calls|>"}, {}, {}, {1, 2}},
    {{"<|end|>", "<|flush|>", "<|calls|>"}, {}, {}, {1, 2}},
    {{"<|end|>", "<|flush|>", "<|call|>"}, {}, {}, {1, 2}},
    {{"<|end|>", "<|return|>"}, {}, {}, {0, 1}},
    {{"<|end|>", "<|call|>", "<|calls|>"}, {}, {}, {0, 1, 2}},
};

Vocabulary vocabulary_of(const Case& one) {
  Vocabulary v;
  v.tokens = one.tokens;
  v.types = one.types;
  v.merges = one.merges;
  return v;
}

std::vector<int32_t> ids_of(const Vocabulary& v) {
  std::vector<int32_t> ids;
  for (const EndToken& end : v.ends) ids.push_back(end.id);
  std::ranges::sort(ids);
  return ids;
}

TEST(EndTokens, ByTheirText) {
  for (const Case& one : kCases) {
    Vocabulary v = vocabulary_of(one);
    add_known_ends(v);
    EXPECT_EQ(ids_of(v), one.ends) << ::testing::PrintToString(one.tokens);
    for (const EndToken& end : v.ends) EXPECT_EQ(v.types[end.id], kControl);
    for (size_t id = 0; id < v.types.size(); ++id)
      if (!std::ranges::count(one.ends, static_cast<int32_t>(id)))
        EXPECT_EQ(v.types[id], one.types.empty() ? kNormal : one.types[id]);
  }
}

TEST(EndTokens, WhatTheFileNamesStaysButForTheEndOfAMessage) {
  for (const auto& [key, stays] : {std::pair("eos_token_id", true),
                                   {"eos_token_ids", true},
                                   {"eot_token_id", false},
                                   {"eom_token_id", false}}) {
    Vocabulary v;
    v.tokens = {"<|end|>", "<|return|>", "<|call|>", "x"};
    add_end(v, 0, key);
    add_end(v, 3, key);
    add_known_ends(v);
    EXPECT_EQ(ids_of(v),
              stays ? (std::vector<int32_t>{0, 1, 2, 3}) : (std::vector<int32_t>{1, 2, 3}))
        << key;
  }
}

TEST(EndTokens, KeepTheirFirstReason) {
  Vocabulary v;
  v.tokens = {"</s>", "<EOT>"};
  add_end(v, 0, "eos_token_id");
  add_end(v, 0, "eot_token_id");
  add_known_ends(v);
  ASSERT_EQ(v.ends.size(), 2u);
  EXPECT_EQ(v.ends[0].why, "eos_token_id");
  EXPECT_EQ(v.ends[1].why, "its text");
}

}  // namespace
}  // namespace quern
