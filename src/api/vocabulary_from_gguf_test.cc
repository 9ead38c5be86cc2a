#include "api/vocabulary_from_gguf.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <stdexcept>

#include "formats/gguf.h"
#include "formats/gguf_writer.h"

namespace quern {
namespace {

using Fill = std::function<void(GgufWriter&)>;

// The vocabulary of a file in memory with these keys. It views the file's strings, so all files
// stay until the program ends.
Result<Vocabulary> read(const Fill& fill, const char* architecture = "llama",
                        std::vector<std::string>* notes = nullptr) {
  GgufWriter writer;
  writer.add("general.architecture", architecture);
  fill(writer);
  static std::deque<std::vector<std::byte>> files;
  const auto source = read_gguf(files.emplace_back(writer.bytes()), "test.gguf");
  if (!source) throw std::runtime_error(to_string(source.error()));
  return read_vocabulary(**source, notes);
}

void tokens(GgufWriter& w, std::vector<std::string> list = {"<s>", "</s>", "a", "b"},
            const char* kind = "llama") {
  w.add("tokenizer.ggml.model", kind);
  w.add_array("tokenizer.ggml.tokens", std::span<const std::string>(list));
}

template <class T>
void array(GgufWriter& w, const char* key, std::vector<T> values) {
  w.add_array(key, std::span<const T>(values));
}

TEST(VocabularyFromGguf, ReadsEveryKey) {
  const auto v = read([](GgufWriter& w) {
    tokens(w, {"<s>", "</s>", "a", "b", "<unk>", "<pad>", "<sep>", "<cls>", "<mask>", "<eot>"});
    w.add("tokenizer.ggml.pre", "smollm");
    array<float>(w, "tokenizer.ggml.scores", {0, 0, -1.5f, -2, 0, 0, 0, 0, 0, 0});
    array<int32_t>(w, "tokenizer.ggml.token_type", {3, 3, 1, 1, 2, 3, 3, 3, 3, 4});
    const std::vector<std::string> merges{"a b"};
    w.add_array("tokenizer.ggml.merges", std::span<const std::string>(merges));
    w.add<uint32_t>("tokenizer.ggml.bos_token_id", 0);
    w.add<uint32_t>("tokenizer.ggml.eos_token_id", 1);
    w.add<uint32_t>("tokenizer.ggml.unknown_token_id", 4);
    w.add<uint32_t>("tokenizer.ggml.padding_token_id", 5);
    w.add<uint32_t>("tokenizer.ggml.seperator_token_id", 6);
    w.add<uint32_t>("tokenizer.ggml.cls_token_id", 7);
    w.add<uint32_t>("tokenizer.ggml.mask_token_id", 8);
    w.add<uint32_t>("tokenizer.ggml.eot_token_id", 9);
    w.add<bool>("tokenizer.ggml.add_bos_token", true);
    w.add<bool>("tokenizer.ggml.add_eos_token", false);
    w.add<bool>("tokenizer.ggml.add_space_prefix", false);
    array<int8_t>(w, "tokenizer.ggml.precompiled_charsmap", {1, -1});
  });
  ASSERT_TRUE(v) << to_string(v.error());
  EXPECT_EQ(v->kind, "llama");
  EXPECT_EQ(v->pre, "smollm");
  EXPECT_EQ(v->tokens.size(), 10u);
  EXPECT_EQ(v->scores[2], -1.5f);
  EXPECT_EQ(v->types[9], TokenType::user_defined);
  EXPECT_EQ(v->merges, (std::vector<std::string>{"a b"}));
  EXPECT_EQ(
      (std::vector<int32_t>{v->bos, v->eos, v->unknown, v->padding, v->separator, v->cls, v->mask}),
      (std::vector<int32_t>{0, 1, 4, 5, 6, 7, 8}));
  EXPECT_EQ(v->add_bos, 1);
  EXPECT_EQ(v->add_eos, 0);
  EXPECT_EQ(v->add_space_prefix, 0);
  EXPECT_EQ(v->remove_extra_whitespaces, -1);
  EXPECT_EQ(v->precompiled_charsmap, (std::vector<uint8_t>{1, 255}));
  EXPECT_EQ(end_ids(*v), (std::vector<int32_t>{1, 9}));
}

TEST(VocabularyFromGguf, WhatIsAbsentStaysUnsaid) {
  const auto v = read([](GgufWriter& w) {
    tokens(w, {"<s>", "a", "b"});
    w.add<uint32_t>("tokenizer.ggml.padding_token_id", 0xffffffff);  // as some converters say none
  });
  ASSERT_TRUE(v) << to_string(v.error());
  EXPECT_EQ(v->bos, -1);
  EXPECT_EQ(v->padding, -1);
  EXPECT_EQ(v->add_bos, -1);
  EXPECT_EQ(v->lowercase, -1);
  EXPECT_TRUE(v->types.empty());
  EXPECT_TRUE(end_ids(*v).empty());
}

TEST(VocabularyFromGguf, AnUnnamedPreTokenizerFollowsFromTheArchitecture) {
  const auto fill = [](const char* kind, const char* pre) {
    return [=](GgufWriter& w) {
      tokens(w, {"a", "b"}, kind);
      if (pre) w.add("tokenizer.ggml.pre", pre);
    };
  };
  EXPECT_EQ(read(fill("gpt2", nullptr), "bitnet-b1.58")->pre, "llama-bpe");
  EXPECT_EQ(read(fill("gpt2", "qwen2"), "bitnet-b1.58")->pre, "qwen2");
  EXPECT_EQ(read(fill("gpt2", nullptr), "llama")->pre, "");
  EXPECT_EQ(read(fill("llama", nullptr), "bitnet-b1.58")->pre, "");
}

TEST(VocabularyFromGguf, KnownTextsEndAnAnswerWhateverTheirType) {
  const auto v = read([](GgufWriter& w) {
    tokens(w, {"</s>", "<|im_end|>", "<end_of_turn>", "x", "<EOT>"});
    array<int32_t>(w, "tokenizer.ggml.token_type", {3, 3, 1, 1, 4});
    w.add<uint32_t>("tokenizer.ggml.eos_token_id", 0);
    w.add<uint32_t>("tokenizer.ggml.eot_token_id", 1);
  });
  ASSERT_TRUE(v);
  EXPECT_EQ(end_ids(*v), (std::vector<int32_t>{0, 1, 2, 4}));
  EXPECT_EQ(v->types[2], TokenType::control);
  EXPECT_EQ(v->types[3], TokenType::normal);
  EXPECT_EQ(v->types[4], TokenType::control);
}

TEST(VocabularyFromGguf, PassesOverIdsOutsideTheVocabularyWithOneNote) {
  std::vector<std::string> notes;
  const auto v = read(
      [](GgufWriter& w) {
        tokens(w);
        w.add<uint32_t>("tokenizer.ggml.bos_token_id", 0);
        w.add<uint32_t>("tokenizer.ggml.eos_token_id", 4);
        w.add<int32_t>("tokenizer.ggml.eot_token_id", -2);
        w.add<uint64_t>("tokenizer.ggml.padding_token_id", uint64_t{1} << 40);
        w.add<int32_t>("tokenizer.ggml.mask_token_id", -1);
        array<int32_t>(w, "tokenizer.ggml.eos_token_ids", {3, 9, -1});
      },
      "llama", &notes);
  ASSERT_TRUE(v) << to_string(v.error());
  EXPECT_EQ(v->bos, 0);
  EXPECT_EQ((std::vector<int32_t>{v->eos, v->padding, v->mask}),
            (std::vector<int32_t>{-1, -1, -1}));
  EXPECT_EQ(end_ids(*v), (std::vector<int32_t>{1, 3}));  // "</s>", and what the list names
  EXPECT_EQ(notes, (std::vector<std::string>{
                       "test.gguf: passed over, as the vocabulary has 4 tokens: eos_token_id 4, "
                       "eot_token_id -2, padding_token_id 1099511627776, eos_token_ids 9"}));
}

TEST(VocabularyFromGguf, ReadsHowABertVocabularyNormalizes) {
  const auto v = read([](GgufWriter& w) {
    tokens(w, {"[UNK]", "a"}, "bert");
    w.add<bool>("tokenizer.ggml.normalizer.lowercase", false);
    w.add<bool>("tokenizer.ggml.normalizer.strip_accents", true);
    w.add<bool>("tokenizer.ggml.normalizer.clean_text", false);
    w.add<bool>("tokenizer.ggml.normalizer.handle_chinese_chars", false);
  });
  ASSERT_TRUE(v) << to_string(v.error());
  EXPECT_EQ(
      (std::vector<int>{v->lowercase, v->strip_accents, v->clean_text, v->handle_chinese_chars}),
      (std::vector<int>{0, 1, 0, 0}));
}

TEST(VocabularyFromGguf, RefusesWhatContradictsItselfNamingTheKey) {
  const auto refused = [](const std::string& key, Code code, const Fill& fill) {
    const auto v = read(fill);
    ASSERT_FALSE(v) << key;
    EXPECT_EQ(v.error().code, code);
    EXPECT_EQ(v.error().where, "test.gguf");
    EXPECT_NE(v.error().what.find(key), std::string::npos) << v.error().what;
  };
  refused("no tokenizer", Code::not_found, [](GgufWriter&) {});
  refused("no tokenizer", Code::not_found,
          [](GgufWriter& w) { w.add("tokenizer.ggml.model", "no_vocab"); });
  refused("tokens is missing", Code::corrupt,
          [](GgufWriter& w) { w.add("tokenizer.ggml.model", "gpt2"); });
  refused("bos_token_id is of an unexpected type", Code::corrupt, [](GgufWriter& w) {
    tokens(w);
    w.add("tokenizer.ggml.bos_token_id", "<s>");
  });
  refused("eos_token_ids is of an unexpected type", Code::corrupt, [](GgufWriter& w) {
    tokens(w);
    w.add<uint32_t>("tokenizer.ggml.eos_token_ids", 1);
  });
  refused("scores has 1 values for 4 tokens", Code::corrupt, [](GgufWriter& w) {
    tokens(w);
    array<float>(w, "tokenizer.ggml.scores", {0});
  });
  refused("token_type has 5", Code::corrupt, [](GgufWriter& w) {
    tokens(w);
    array<int32_t>(w, "tokenizer.ggml.token_type", {1, 1, 1, 1, 1});
  });
  refused("token_type holds 7", Code::corrupt, [](GgufWriter& w) {
    tokens(w);
    array<int32_t>(w, "tokenizer.ggml.token_type", {1, 1, 7, 1});
  });
  refused("precompiled_charsmap", Code::corrupt, [](GgufWriter& w) {
    tokens(w);
    array<int32_t>(w, "tokenizer.ggml.precompiled_charsmap", {256});
  });
}

}  // namespace
}  // namespace quern
