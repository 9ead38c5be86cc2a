#include "openai/logprobs.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "text/utf8_stream.h"

namespace quern::openai {
namespace {

struct Token {
  std::string bytes, spelling, name;  // name: as it must be
};

// Parts of characters of 2, 3 and 4 bytes at each place where they can be cut, whole ones, control
// tokens, tokens of one text, tokens without any.
const std::vector<Token> kTokens = {
    {"a", "a", "a"},
    {"\xc3", "", R"(bytes:\xc3)"},  // of é
    {"\xa9", "", R"(bytes:\xa9)"},
    {"\xe2", "", R"(bytes:\xe2)"},  // of €
    {"\xe2\x82", "", R"(bytes:\xe2\x82)"},
    {"\x82\xac", "", R"(bytes:\x82\xac)"},
    {"\xac", "", R"(bytes:\xac)"},
    {"\xf0\x9f", "", R"(bytes:\xf0\x9f)"},  // of 🎉
    {"\xf0\x9f\x8e", "", R"(bytes:\xf0\x9f\x8e)"},
    {"\x8e\x89", "", R"(bytes:\x8e\x89)"},
    {"\x89", "", R"(bytes:\x89)"},
    {"\x9f\x8e\x89", "", R"(bytes:\x9f\x8e\x89)"},
    {" \xf0\x9f", "", R"(bytes: \xf0\x9f)"},
    {"x\\\n\xf0", "", R"(bytes:x\x5c\x0a\xf0)"},
    {R"(x\\\n\xf0)", "", R"(x\\\n\xf0)"},
    {"\x7f\xff", "", R"(bytes:\x7f\xff)"},
    {"\xed\xa0\x80", "", R"(bytes:\xed\xa0\x80)"},  // half of a surrogate pair
    {"\xef\xbf\xbd", "", "\xef\xbf\xbd"},           // U+FFFD itself
    {"\xc3\xa9", "", "\xc3\xa9"},
    {"\xe2\x82\xac", "", "\xe2\x82\xac"},
    {"\xf0\x9f\x8e\x89", "", "\xf0\x9f\x8e\x89"},
    {std::string(1, '\0'), "<0x00>", std::string(1, '\0')},
    {"", "<|im_end|>", "<|im_end|>"},
    {"", "<|endoftext|>", "<|endoftext|>"},
    {"", "", ""},
    {"a", "<0x61>", "a"},
};
constexpr int32_t kA = 0, kEnd = 22, kText = 23, kEmpty = 24, kSecondA = 25;

const TokenTexts kTexts{[](int32_t id) { return kTokens.at(static_cast<size_t>(id)).bytes; },
                        [](int32_t id) { return kTokens.at(static_cast<size_t>(id)).spelling; }};

TEST(Logprobs, NamesTellTokensByTheirBytes) {
  std::set<std::string> names;
  for (const Token& token : kTokens) {
    const std::string name = token_name(token.bytes, token.spelling);
    EXPECT_EQ(name, token.name);
    EXPECT_TRUE(is_valid_utf8(name)) << name;
    names.insert(name);
  }
  EXPECT_EQ(names.size(), kTokens.size() - 1) << "two tokens have the text a";
}

TEST(Logprobs, ATopListHasEveryTokenUnderItsName) {
  TokenLogprobs all{.id = 7, .logprob = -1, .top = {}};
  for (int32_t id = 0; id < kSecondA; ++id)
    all.top.push_back({id, id == 7 ? -1.0f : -0.25f * static_cast<float>(id + 1)});
  const Json top = text_logprobs(kTexts, std::vector{all})["top_logprobs"][0];
  ASSERT_EQ(top.size(), all.top.size());
  for (const TokenProb& one : all.top)
    EXPECT_EQ(top[kTokens[static_cast<size_t>(one.id)].name], one.logprob) << one.id;
  const Json again = Json::parse(top.dump());  // nothing in it needed to be replaced
  EXPECT_EQ(again, top);
}

struct Chosen {
  int32_t id;
  float logprob;
  std::vector<TokenProb> top;
  const char* json;  // top_logprobs
};

TEST(Logprobs, TheChosenTokenIsAmongTheTopOnesWithItsOwnValue) {
  const Chosen kChosen[] = {
      {kA, -1, {}, R"({"a":-1.0})"},
      {kA, -1, {{kA, -1}}, R"({"a":-1.0})"},
      {7,
       -3,
       {{8, -1}, {1, -2}},
       R"({"bytes:\\xf0\\x9f\\x8e":-1.0,"bytes:\\xc3":-2.0,)"
       R"("bytes:\\xf0\\x9f":-3.0})"},
      {8, -1, {{8, -1}, {7, -2}}, R"({"bytes:\\xf0\\x9f\\x8e":-1.0,"bytes:\\xf0\\x9f":-2.0})"},
      // One text: the chosen one's value, else that of the likelier one.
      {kA, -2, {{kSecondA, -1}, {kA, -2}}, R"({"a":-2.0})"},
      {kSecondA, -2, {{kA, -1}, {kSecondA, -2}}, R"({"a":-2.0})"},
      {kEnd, -4, {{kA, -1}, {kSecondA, -2}}, R"({"a":-1.0,"<|im_end|>":-4.0})"},
      {kEnd, -1, {{kEnd, -1}, {kText, -2}}, R"({"<|im_end|>":-1.0,"<|endoftext|>":-2.0})"},
      {kEmpty, -2, {{kEnd, -1}, {kEmpty, -2}}, R"({"<|im_end|>":-1.0,"":-2.0})"},
  };
  for (const Chosen& row : kChosen) {
    const std::vector<TokenLogprobs> tokens = {{row.id, row.logprob, row.top}};
    const Json json = text_logprobs(kTexts, tokens);
    EXPECT_EQ(json["top_logprobs"][0].dump(), row.json);
    EXPECT_EQ(json["tokens"][0], kTokens[static_cast<size_t>(row.id)].name);
    EXPECT_EQ(json["token_logprobs"][0], row.logprob);
  }
}

struct Placed {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets;
};

TEST(Logprobs, OffsetsAreTheCharactersInWhichTokensBegin) {
  const Placed kPlaced[] = {
      {{kA, kA}, {0, 1}},
      {{1, 2, kA}, {0, 0, 1}},                // c3|a9
      {{kA, 3, 5, kA}, {0, 1, 1, 2}},         // e2|82 ac
      {{4, 6, kA}, {0, 0, 1}},                // e2 82|ac
      {{7, 9, kA}, {0, 0, 1}},                // f0 9f|8e 89
      {{8, 10, 8, 10, kA}, {0, 0, 1, 1, 2}},  // f0 9f 8e|89
      {{12, 9, kA}, {0, 1, 2}},               // " " f0 9f|8e 89: begins with the space
      {{7, kA}, {0, 1}},                      // broken off: U+FFFD, a
      {{7, 7, 9}, {0, 1, 1}},                 // U+FFFD, then the character
      {{2, 2, kA}, {0, 1, 2}},                // each a U+FFFD
      {{kA, kEnd, kA}, {0, 1, 1}},            // a control token has no text
      {{20, kEmpty, 19}, {0, 1, 1}},
      {{7, kEnd, 9, kA}, {0, 0, 0, 1}},
  };
  for (const Placed& row : kPlaced) {
    std::vector<TokenLogprobs> tokens;
    std::string text;
    for (const int32_t id : row.ids) {
      tokens.push_back({id, 0, {}});
      text += kTokens[static_cast<size_t>(id)].bytes;
    }
    EXPECT_EQ(text_logprobs(kTexts, tokens)["text_offset"], Json(row.offsets)) << text;
  }
}

TEST(Logprobs, ChatsHaveBytes) {
  const std::vector<TokenLogprobs> tokens = {{7, -1, {{7, -1}, {8, -2}, {kEnd, -3}}}};
  EXPECT_EQ(chat_logprobs(kTexts, tokens)["content"].dump(),
            "[{\"token\":\"\xef\xbf\xbd\",\"logprob\":-1.0,\"bytes\":[240,159],\"top_logprobs\":["
            "{\"token\":\"\xef\xbf\xbd\",\"logprob\":-1.0,\"bytes\":[240,159]},"
            "{\"token\":\"\xef\xbf\xbd\",\"logprob\":-2.0,\"bytes\":[240,159,142]},"
            "{\"token\":\"<|im_end|>\",\"logprob\":-3.0,\"bytes\":[]}]}]");
}

}  // namespace
}  // namespace quern::openai
