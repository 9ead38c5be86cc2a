#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

// GPT-2's character for a byte, as UTF-8: printable Latin-1 is itself, the rest counts from U+0100.
std::string byte_character(int byte) {
  const auto printable = [](int b) {
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
  };
  int code = byte;
  if (!printable(byte)) {
    code = 0x100;
    for (int b = 0; b < byte; ++b) code += printable(b) ? 0 : 1;
  }
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

// Ids 0..255 are the bytes; then "he", "ll", "hell", "hello"; then a control and a user token.
Vocabulary byte_level_vocabulary() {
  Vocabulary v;
  v.kind = "gpt2";
  v.pre = "smollm";
  for (int byte = 0; byte < 256; ++byte) v.tokens.push_back(byte_character(byte));
  v.tokens.insert(v.tokens.end(), {"he", "ll", "hell", "hello", "<|end|>", "<tool>"});
  v.types.assign(v.tokens.size(), TokenType::normal);
  v.types[260] = TokenType::control;
  v.types[261] = TokenType::user_defined;
  v.merges = {"h e", "l l", "he ll", "hell o"};
  v.bos = v.eos = 260;
  return v;
}

Ids bytes_of(const std::string& text) {
  Ids ids;
  for (unsigned char byte : text) ids.push_back(byte);
  return ids;
}

Tokenizer made(const Vocabulary& vocabulary) {
  auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
  CHECK(static_cast<bool>(tokenizer), "the vocabulary of a test is good");
  return *tokenizer;
}

Ids encoded(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {}) {
  auto ids = tokenizer.encode(text, options);
  CHECK(static_cast<bool>(ids), "a text of a test can be encoded");
  return *ids;
}

TEST(Tokenizer, ByteLevelMergesAndBytes) {
  const Tokenizer t = made(byte_level_vocabulary());
  EXPECT_EQ(t.n_vocab(), 262);
  EXPECT_EQ(encoded(t, "hello"), Ids({259}));
  EXPECT_EQ(encoded(t, ""), Ids());
  EXPECT_EQ(encoded(t, " \t\n"), bytes_of(" \t\n"));
  EXPECT_EQ(encoded(t, std::string_view("a\0b", 3)), bytes_of(std::string("a\0b", 3)));
  EXPECT_EQ(encoded(t, "\xF0\x9F\x98\x80"), bytes_of("\xF0\x9F\x98\x80"));
  EXPECT_EQ(encoded(t, "x\xFFy"), bytes_of("x\xEF\xBF\xBDy"));
  EXPECT_EQ(encoded(t, "hello", {.parse_special = false, .add_special = true}), Ids({259}));
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(t.bytes(byte, false), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(t.decode(Ids({259, 32, 0xC3, 0xA9, 0xC3}), false), "hello \xC3\xA9\xEF\xBF\xBD");
}

TEST(Tokenizer, SpecialTokensCountOnlyWhereTheyMay) {
  const Tokenizer t = made(byte_level_vocabulary());
  const Ids typed = bytes_of("<|end|>");
  EXPECT_EQ(encoded(t, "<|end|>"), typed);
  EXPECT_EQ(encoded(t, "<|end|>", {.parse_special = true}), Ids({260}));
  EXPECT_EQ(encoded(t, "<tool>"), Ids({261}));  // a user-defined token is one everywhere
  EXPECT_TRUE(t.is_special(260));
  EXPECT_FALSE(t.is_special(261));
  EXPECT_EQ(t.bytes(260, true), "<|end|>");
  EXPECT_EQ(t.bytes(260, false), "");
  EXPECT_EQ(t.bytes(261, false), "<tool>");
  EXPECT_EQ(t.decode(Ids({259, 260}), false), "hello");
  EXPECT_EQ(t.decode(Ids({259, 260}), true), "hello<|end|>");
}

TEST(Tokenizer, MixedTextKeepsTypedMarkersPlain) {
  const Tokenizer t = made(byte_level_vocabulary());
  const std::string text = "<|end|>hello<|end|><|end|>";
  const auto mixed = [&](std::vector<TextRange> plain) {
    auto ids = t.encode_mixed(text, plain, false);
    CHECK(static_cast<bool>(ids), "the ranges of this test are good");
    return *ids;
  };
  const Ids marker = {260};
  const auto join = [](std::vector<Ids> parts) {
    Ids all;
    for (const Ids& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  const Ids typed = bytes_of("<|end|>"), hello = {259};
  EXPECT_EQ(mixed({}), join({marker, hello, marker, marker}));
  EXPECT_EQ(mixed({{7, 19}}), join({marker, hello, typed, marker}));
  EXPECT_EQ(mixed({{0, 7}, {19, 26}}), join({typed, hello, marker, typed}));
  // One byte of a marker that was typed makes it plain: it was not the template that wrote it.
  EXPECT_EQ(mixed({{13, 14}}), join({marker, hello, typed, marker}));
  EXPECT_EQ(mixed({{0, 26}}), join({typed, hello, typed, typed}));
}

TEST(Tokenizer, RangesMustLieInTheText) {
  const Tokenizer t = made(byte_level_vocabulary());
  const std::vector<std::vector<TextRange>> bad = {
      {{0, 4}}, {{2, 1}}, {{0, 2}, {1, 3}}, {{2, 3}, {0, 1}}, {{SIZE_MAX, SIZE_MAX}}};
  for (const auto& ranges : bad) {
    auto ids = t.encode_mixed("abc", ranges, false);
    ASSERT_FALSE(ids);
    EXPECT_EQ(ids.error().code, Code::invalid_argument);
  }
}

TEST(Tokenizer, RangesFollowReplacedBytes) {
  const Tokenizer t = made(byte_level_vocabulary());
  const std::string text = "\xFF\xFE<|end|>\x80<|end|>";
  auto ids = t.encode_mixed(text, std::vector<TextRange>{{2, 9}}, false);
  ASSERT_TRUE(ids);
  Ids want = bytes_of("\xEF\xBF\xBD\xEF\xBF\xBD<|end|>\xEF\xBF\xBD");
  want.push_back(260);
  EXPECT_EQ(*ids, want);
}

TEST(Tokenizer, IdsFromOutside) {
  const Tokenizer t = made(byte_level_vocabulary());
  for (int32_t id : {-1, 262, 263, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(t.bytes(id, true), "");
    EXPECT_EQ(t.piece(id), "");
    EXPECT_FALSE(t.is_special(id));
    EXPECT_EQ(t.decode(Ids({id, 259}), true), "hello");
  }
  EXPECT_EQ(t.id_of("hello"), 259);
  EXPECT_EQ(t.id_of("<|end|>"), 260);
  EXPECT_EQ(t.id_of("goodbye"), std::nullopt);
}

// The bad vocabularies: each a typed error, or handled as its name says.
struct Bad {
  const char* name;
  void (*spoil)(Vocabulary&);
  Code code;
};

const Bad kBad[] = {
    {"kind", [](Vocabulary& v) { v.kind = std::string("rwkv"); }, Code::unsupported},
    {"pre", [](Vocabulary& v) { v.pre = std::string("no-such"); }, Code::unsupported},
    {"pre is not UTF-8", [](Vocabulary& v) { v.pre = std::string("\xFF"); },
     Code::invalid_argument},
    {"no tokens", [](Vocabulary& v) { v.tokens.clear(), v.types.clear(); }, Code::corrupt},
    {"few types", [](Vocabulary& v) { v.types.pop_back(); }, Code::corrupt},
    {"few scores",
     [](Vocabulary& v) {
       v.scores = {1, 2};
     },
     Code::corrupt},
    {"type 99", [](Vocabulary& v) { v.types[3] = static_cast<TokenType>(99); }, Code::corrupt},
    {"type -1", [](Vocabulary& v) { v.types[3] = static_cast<TokenType>(-1); }, Code::corrupt},
    {"a token of 10 MB", [](Vocabulary& v) { v.tokens[5].assign(10 << 20, 'a'); }, Code::corrupt},
    {"not UTF-8", [](Vocabulary& v) { v.tokens[5] = std::string("\xC3"); }, Code::corrupt},
    {"merge of one", [](Vocabulary& v) { v.merges.push_back("alone"); }, Code::corrupt},
    {"empty merge", [](Vocabulary& v) { v.merges.push_back(""); }, Code::corrupt},
    {"bos outside", [](Vocabulary& v) { v.bos = 262; }, Code::corrupt},
    {"eos below -1", [](Vocabulary& v) { v.eos = INT32_MIN; }, Code::corrupt},
    {"llama without scores", [](Vocabulary& v) { v.kind = std::string("llama"), v.merges.clear(); },
     Code::corrupt},
    {"t5 without scores", [](Vocabulary& v) { v.kind = std::string("t5"); }, Code::corrupt},
    {"NaN score",
     [](Vocabulary& v) {
       v.kind = std::string("llama"), v.scores.assign(v.tokens.size(), 0.0f / 0.0f);
     },
     Code::corrupt},
    {"bad charsmap",
     [](Vocabulary& v) {
       v.kind = std::string("t5"), v.scores.assign(v.tokens.size(), -1),
       v.precompiled_charsmap = {255, 255, 1};
     },
     Code::corrupt},
    {"charsmap that lies about its size",
     [](Vocabulary& v) {
       v.kind = std::string("t5"), v.scores.assign(v.tokens.size(), -1);
       v.precompiled_charsmap = {0xFC, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4};
     },
     Code::corrupt},
    {"bert without unknown", [](Vocabulary& v) { v.kind = std::string("bert"); }, Code::corrupt},
};

TEST(Tokenizer, BadVocabulariesGiveTypedErrors) {
  for (const Bad& bad : kBad) {
    Vocabulary v = byte_level_vocabulary();
    bad.spoil(v);
    auto tokenizer = Tokenizer::from_vocabulary(v);
    ASSERT_FALSE(tokenizer) << bad.name;
    EXPECT_EQ(tokenizer.error().code, bad.code) << bad.name << ": " << tokenizer.error().what;
    EXPECT_FALSE(tokenizer.error().what.empty()) << bad.name;
  }
}

struct SkippedMerges {
  std::vector<std::string> more;  // before the vocabulary's own
  size_t n_skipped;
};

TEST(Tokenizer, MergesWithoutTokensAreLeftOut) {
  const SkippedMerges kCases[] = {
      {{}, 0},
      {{"no such"}, 1},                    // no part is a token
      {{"a b"}, 1},                        // "ab" is none
      {{"x he"}, 1},                       // "xhe" is none
      {{"he xyz"}, 1},                     // "xyz" is none
      {{"a b", "ab c", "h e", "b c"}, 3},  // "h e" twice: the first one counts
      {{"hel l", "h ell", "hell o"}, 2},   // "hel" and "ell" are none
  };
  for (const SkippedMerges& row : kCases) {
    Vocabulary v = byte_level_vocabulary();
    StringArray merges = row.more;
    for (const std::string_view own : v.merges) merges.push_back(own);
    v.merges = merges;
    const Tokenizer t = made(v);
    EXPECT_EQ(t.n_skipped_merges(), row.n_skipped) << ::testing::PrintToString(row.more);
    EXPECT_EQ(encoded(t, "hello"), Ids({259})) << ::testing::PrintToString(row.more);
    EXPECT_EQ(encoded(t, "ab"), bytes_of("ab"));
  }
  Vocabulary scoreless;  // kind llama with merges instead of scores
  scoreless.kind = "llama";
  scoreless.tokens = {"<unk>", "a", "b", "ab", "\u2581"};
  scoreless.types.assign(5, TokenType::normal);
  scoreless.merges = {"b a", "a b", "ab c"};
  scoreless.add_space_prefix = 0;
  const Tokenizer t = made(scoreless);
  EXPECT_EQ(t.n_skipped_merges(), 2u);
  EXPECT_EQ(encoded(t, "ab"), Ids({3}));
}

// ---- BERT: what the keys say is what tokenizer.json's BertNormalizer would do

const char* const kBertPieces[] = {"[UNK]",        "caf\u00E9", "cafe", "\u4E2D", "\u6587",
                                   "\u4E2D\u6587", "a",         "##b",  "\u00FC", "u",
                                   "xy",           "x"};

Vocabulary bert_vocabulary(bool capitals) {
  Vocabulary v;
  v.kind = "bert";
  const auto put = [&](const std::string& piece) {
    const bool bare = piece.starts_with('[');
    v.tokens.push_back(bare ? piece : piece.starts_with("##") ? piece.substr(2) : "\u2581" + piece);
    v.types.push_back(bare ? TokenType::control : TokenType::normal);
  };
  for (const char* piece : kBertPieces) put(piece);
  for (const char* piece : {"Caf\u00E9", "Cafe", "A", "\u00DC", "U"})
    if (capitals) put(piece);
  v.add_bos = v.add_eos = 0;
  return v;
}

std::string bert_json(const Vocabulary& v, bool lowercase) {
  const auto flag = [](int8_t said, const char* unsaid) {
    return std::string(said < 0 ? unsaid : said ? "true" : "false");
  };
  std::string pieces;
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    const std::string& token = v.tokens[id];
    const std::string piece = token.starts_with("\u2581") ? token.substr(3)
                              : token.starts_with('[')    ? token
                                                          : "##" + token;
    pieces += (id ? ",\"" : "\"") + piece + "\":" + std::to_string(id);
  }
  return R"({"normalizer":{"type":"BertNormalizer","clean_text":)" + flag(v.clean_text, "true") +
         R"(,"handle_chinese_chars":)" + flag(v.handle_chinese_chars, "true") +
         R"(,"strip_accents":)" + flag(v.strip_accents, "null") + R"(,"lowercase":)" +
         (lowercase ? "true" : "false") + R"(},"pre_tokenizer":{"type":"BertPreTokenizer"},
         "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
         "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
         "max_input_chars_per_word":100,"vocab":{)" +
         pieces + "}}}";
}

TEST(Tokenizer, BertNormalizesAsItsKeysSay) {
  const char* const kTexts[] = {"Caf\u00E9", "CAFE\u0301 Ab",    "\u4E2D\u6587 x\u4E2Dy",
                                "x\u200By",  "x\ty\u00A0x\x01y", "\u00DCu U\u0308 \u00FC"};
  int n = 0;
  for (int code = 0; code < 2 * 81; ++code) {
    const bool capitals = code % 2 != 0;
    Vocabulary v = bert_vocabulary(capitals);
    int rest = code / 2;
    for (int8_t* flag : {&v.lowercase, &v.strip_accents, &v.clean_text, &v.handle_chinese_chars}) {
      *flag = static_cast<int8_t>(rest % 3 - 1);
      rest /= 3;
    }
    const bool lowercase = v.lowercase < 0 ? !capitals : v.lowercase != 0;
    const auto reference = Tokenizer::from_json(bert_json(v, lowercase));
    ASSERT_TRUE(reference) << to_string(reference.error());
    for (const char* text : kTexts) {
      EXPECT_EQ(encoded(made(v), text), encoded(*reference, text)) << code << " " << text;
      ++n;
    }
  }
  EXPECT_EQ(n, 2 * 81 * 6);
}

TEST(Tokenizer, BertKeysGoBeforeTheGuess) {
  const auto ids = [](bool capitals, int8_t lowercase, int8_t strip_accents, const char* text) {
    Vocabulary v = bert_vocabulary(capitals);
    v.lowercase = lowercase;
    v.strip_accents = strip_accents;
    return encoded(made(v), text);
  };
  EXPECT_EQ(ids(false, -1, -1, "Caf\u00E9"), Ids({2}));  // no capitals: lower case, no accents
  EXPECT_EQ(ids(false, 0, -1, "Caf\u00E9"), Ids({0}));
  EXPECT_EQ(ids(false, -1, 0, "Caf\u00E9"), Ids({1}));
  EXPECT_EQ(ids(true, -1, -1, "Caf\u00E9"), Ids({12}));
  EXPECT_EQ(ids(true, 1, -1, "Caf\u00E9"), Ids({2}));
  EXPECT_EQ(ids(true, 1, 0, "Caf\u00E9"), Ids({1}));
  EXPECT_EQ(ids(true, 0, 1, "Caf\u00E9"), Ids({13}));
}

TEST(Tokenizer, EqualAndEmptyTokensKeepTheirIds) {
  Vocabulary v = byte_level_vocabulary();
  v.tokens.insert(v.tokens.end(), {"hello", "", "", "<|end|>", "<0x-1>"});
  v.types.insert(v.types.end(), {TokenType::normal, TokenType::normal, TokenType::control,
                                 TokenType::control, TokenType::byte});
  const Tokenizer t = made(v);
  EXPECT_EQ(t.n_vocab(), 267);
  EXPECT_EQ(encoded(t, "hello"), Ids({259}));  // of equal tokens the first counts
  EXPECT_EQ(t.bytes(262, true), "hello");
  EXPECT_EQ(t.bytes(263, true), "");
  EXPECT_EQ(t.bytes(266, true), "<0x-1>");
  EXPECT_EQ(encoded(t, "<|end|>", {.parse_special = true}), Ids({260}));
}

// Kind llama: pieces with scores, bytes as "<0x..>".
Vocabulary sentencepiece_vocabulary() {
  Vocabulary v;
  v.kind = "llama";
  v.tokens = {"<unk>", "<s>", "</s>"};
  v.types = {TokenType::unknown, TokenType::control, TokenType::control};
  for (int byte = 0; byte < 256; ++byte) {
    const char* digits = "0123456789ABCDEF";
    v.tokens.push_back(std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">");
    v.types.push_back(TokenType::byte);
  }
  v.scores.assign(v.tokens.size(), 0);
  for (const char* piece : {"\u2581a", "ab", "\u2581ab", "\u2581", "a", "b"}) {
    v.tokens.push_back(piece);
    v.types.push_back(TokenType::normal);
    v.scores.push_back(-static_cast<float>(v.scores.size()));
  }
  return v;
}

TEST(Tokenizer, SentencePieceByScores) {
  const Tokenizer t = made(sentencepiece_vocabulary());
  EXPECT_EQ(encoded(t, "ab"), Ids({261}));
  EXPECT_EQ(encoded(t, "aab"), Ids({259, 260}));  // "▁a" scores above "ab", and both above "a"
  EXPECT_EQ(encoded(t, "ab", {.parse_special = false, .add_special = true}), Ids({1, 261}));
  EXPECT_EQ(encoded(t, "\xC3\xA9"), Ids({262, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(encoded(t, "</s>", {.parse_special = true}), Ids({2}));
  EXPECT_NE(encoded(t, "</s>"), Ids({2}));
  EXPECT_EQ(t.bytes(259, false), " a");
  EXPECT_EQ(t.bytes(3 + 0xC3, false), "\xC3");
  EXPECT_EQ(t.decode(Ids({259, 264, 262, 3 + 0xC3, 3 + 0xA9}), false), "ab \xC3\xA9");
}

TEST(Tokenizer, JsonMustBeATokenizer) {
  for (const char* json : {"", "{", "[]", "{}", R"({"model":{}})", R"({"model":{"type":"BPE"}})",
                           R"({"model":{"type":"BPE","vocab":{"a":4294967295},"merges":[]}})"}) {
    auto tokenizer = Tokenizer::from_json(json);
    ASSERT_FALSE(tokenizer) << json;
    EXPECT_EQ(tokenizer.error().code, Code::corrupt) << json;
  }
}

TEST(Tokenizer, JsonOfAWordPieceModel) {
  auto t = Tokenizer::from_json(R"({"version":"1.0",
    "added_tokens":[{"id":1,"content":"[CLS]","single_word":false,"lstrip":false,"rstrip":false,
                     "normalized":false,"special":true}],
    "normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Whitespace"},
    "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
    "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
             "max_input_chars_per_word":100,
             "vocab":{"[UNK]":0,"[CLS]":1,"play":2,"##ing":3,"chess":4}}})");
  ASSERT_TRUE(t) << t.error().what;
  EXPECT_EQ(encoded(*t, "Playing chess now"), Ids({2, 3, 4, 0}));
  EXPECT_EQ(encoded(*t, "[CLS]playing", {.parse_special = true}), Ids({1, 2, 3}));
  EXPECT_EQ(t->decode(Ids({2, 3, 4}), false), "playing chess");
  EXPECT_EQ(t->bytes(4, false), " chess");
  EXPECT_EQ(t->bytes(3, false), "ing");
}

}  // namespace
}  // namespace quern
