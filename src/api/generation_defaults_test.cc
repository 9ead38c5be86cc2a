#include "api/generation_defaults.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "support/temporary_folder.h"

namespace quern {
namespace {

struct Read {
  GenerationDefaults defaults;
  std::vector<std::string> notes;
  SamplingOptions options() const { return defaults.over({}); }
};

Read read(const Metadata& file, const std::string& json = "") {
  const TemporaryFolder folder("generation_defaults");
  if (!json.empty())
    std::ofstream(folder.path() / "generation_config.json", std::ios::binary) << json;
  Read result;
  result.defaults =
      GenerationDefaults::read(file, (folder.path() / "model.gguf").string(), result.notes);
  return result;
}

TEST(GenerationDefaults, WithoutAnyTheBaseStays) {
  const Read r = read({});
  EXPECT_TRUE(r.notes.empty());
  const SamplingOptions base{.temperature = 0.123f, .top_k = 7};
  EXPECT_EQ(r.defaults.over(base).temperature, 0.123f);
  EXPECT_EQ(r.defaults.over(base).top_k, 7);
}

TEST(GenerationDefaults, ReadsTheKeysOfGguf) {
  Metadata file;
  file.entries["general.sampling.temp"] = 0.2;
  file.entries["general.sampling.top_k"] = int64_t{5};
  file.entries["general.sampling.top_p"] = 0.7;
  file.entries["general.sampling.min_p"] = 0.1;
  file.entries["general.sampling.penalty_repeat"] = 1.2;
  file.entries["general.sampling.penalty_last_n"] = int64_t{-1};
  file.entries["general.sampling.xtc_probability"] = 0.3;
  file.entries["general.sampling.xtc_threshold"] = 0.2;
  file.entries["general.sampling.mirostat"] = int64_t{2};
  file.entries["general.sampling.mirostat_tau"] = 4.0;
  file.entries["general.sampling.mirostat_eta"] = 0.2;
  file.entries["general.sampling.sequence"] = std::string("top_k;temperature");
  const Read r = read(file);
  EXPECT_TRUE(r.notes.empty());
  const SamplingOptions o = r.options();
  EXPECT_EQ(o.temperature, 0.2f);
  EXPECT_EQ(o.top_k, 5);
  EXPECT_EQ(o.top_p, 0.7f);
  EXPECT_EQ(o.min_p, 0.1f);
  EXPECT_EQ(o.repeat_penalty, 1.2f);
  EXPECT_EQ(o.penalty_window, -1);
  EXPECT_EQ(o.xtc_probability, 0.3f);
  EXPECT_EQ(o.xtc_threshold, 0.2f);
  EXPECT_EQ(o.mirostat, 2);
  EXPECT_EQ(o.mirostat_tau, 4);
  EXPECT_EQ(o.mirostat_eta, 0.2f);
  EXPECT_EQ(o.samplers, (std::vector<std::string>{"top_k", "temperature"}));
}

TEST(GenerationDefaults, ReadsTheJsonBesideTheModel) {
  const Read r = read({}, R"({"temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0,
      "typical_p": 0.9, "repetition_penalty": 1.05, "do_sample": true, "eos_token_id": [1, 2],
      "transformers_version": "4.51.0", "bos_token_id": 0, "max_length": null})");
  EXPECT_TRUE(r.notes.empty());
  const SamplingOptions o = r.options();
  EXPECT_EQ(o.temperature, 0.6f);
  EXPECT_EQ(o.top_k, 20);
  EXPECT_EQ(o.top_p, 0.95f);
  EXPECT_EQ(o.min_p, 0);
  EXPECT_EQ(o.typical_p, 0.9f);
  EXPECT_EQ(o.repeat_penalty, 1.05f);
}

TEST(GenerationDefaults, JsonGoesBeforeGguf) {
  Metadata file;
  file.entries["general.sampling.temp"] = 0.2;
  file.entries["general.sampling.top_k"] = int64_t{5};
  const SamplingOptions o = read(file, R"({"temperature": 0.9})").options();
  EXPECT_EQ(o.temperature, 0.9f);
  EXPECT_EQ(o.top_k, 5);
}

TEST(GenerationDefaults, NoSamplingIsGreedyWhateverTheTemperature) {
  EXPECT_EQ(read({}, R"({"do_sample": false, "temperature": 0.9})").options().temperature, 0);
  EXPECT_EQ(read({}, R"({"do_sample": null})").options().temperature,
            SamplingOptions().temperature);
}

TEST(GenerationDefaults, MinusOneIsAllTokens) {
  EXPECT_EQ(read({}, R"({"top_k": -1})").options().top_k, 0);
}

TEST(GenerationDefaults, WhatCannotBeIsPassedOverWithANote) {
  Metadata file;
  file.entries["general.sampling.top_p"] = 7.0;
  file.entries["general.sampling.sequence"] = std::string("top_k;magic");
  Read r = read(file);
  ASSERT_EQ(r.notes.size(), 2u);
  EXPECT_EQ(r.notes[0],
            "model.gguf: general.sampling.top_p is passed over: "
            "top_p is 7, must be at least 0 and at most 1");
  EXPECT_NE(r.notes[1].find("'magic'"), std::string::npos);
  EXPECT_EQ(r.options().top_p, SamplingOptions().top_p);
  EXPECT_TRUE(r.options().samplers.empty());

  r = read({}, R"({"temperature": "hot", "top_k": 2.5, "top_p": 1e300, "min_p": [], "typical_p": -1,
      "repetition_penalty": 0, "eos_token_id": "x"})");
  EXPECT_EQ(r.notes.size(), 7u);
  const SamplingOptions o = r.options(), untouched;
  EXPECT_EQ(o.temperature, untouched.temperature);
  EXPECT_EQ(o.top_k, untouched.top_k);
  EXPECT_EQ(o.top_p, untouched.top_p);
  EXPECT_EQ(o.min_p, untouched.min_p);
  EXPECT_EQ(o.typical_p, untouched.typical_p);
  EXPECT_EQ(o.repeat_penalty, untouched.repeat_penalty);
}

TEST(GenerationDefaults, BrokenFilesCostANoteAndNothingElse) {
  const std::string files[] = {"{",
                               "[]",
                               "null",
                               "\xff\xfe{}",
                               "{\"top_k\": 1e999}",
                               "{\"top_k\": 99999999999999999999}",
                               std::string(100000, '['),
                               std::string(2 << 20, ' '),
                               "{\"eos_token_id\": [-1]}",
                               "{\"eos_token_id\": [2147483648]}",
                               "{\"eos_token_id\": {\"a\": 1}}",
                               "{\"eos_token_id\": 1.5}"};
  for (const std::string& json : files) {
    const Read r = read({}, json);
    EXPECT_EQ(r.notes.size(), 1u) << json.substr(0, 40);
    EXPECT_EQ(r.options().top_k, SamplingOptions().top_k);
  }
}

TEST(GenerationDefaults, EndsAreControlTokensOfTheVocabulary) {
  const Read r = read({}, R"({"eos_token_id": [0, 2, 1, 77]})");
  Vocabulary vocabulary;
  vocabulary.tokens = {"</s>", "word", "<end>"};
  EXPECT_EQ(r.defaults.end_ids(vocabulary), (std::vector<int32_t>{0, 2, 1}));
  vocabulary.types = {TokenType::control, TokenType::normal, TokenType::control};
  EXPECT_EQ(r.defaults.end_ids(vocabulary), (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(read({}, R"({"eos_token_id": 2})").defaults.end_ids(vocabulary),
            (std::vector<int32_t>{2}));
}

}  // namespace
}  // namespace quern
