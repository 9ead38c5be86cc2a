// Model::embed on tiny random models: the vectors are those of transformers' hidden states, and no
// concurrent request changes a bit of them.
#include "quern/embeddings.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <stdexcept>
#include <string>
#include <thread>

#include "api/make_embeddings.h"
#include "formats/memory_source.h"
#include "quern/model.h"
#include "support/npz.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;
using Floats = std::vector<float>;
const std::string kTiny = QUERN_SOURCE_DIR "/tests/data/tiny/";

Model loaded(const std::string& name, const LoadOptions& options = {}) {
  auto model = Model::load(kTiny + name + ".gguf", options);
  if (!model) throw std::runtime_error(to_string(model.error()));
  return *model;
}

struct Reference {
  Ids tokens;
  std::vector<Floats> hidden;  // row by row

  explicit Reference(const std::string& name) {
    const auto arrays = *testing::read_npz(kTiny + name + ".npz");
    const auto ids = arrays.at("tokens").as<int32_t>();
    tokens.assign(ids.begin(), ids.end());
    const auto rows = arrays.at("hidden").as<float>();
    const auto width = static_cast<size_t>(arrays.at("hidden").shape[1]);
    for (size_t at = 0; at < rows.size(); at += width)
      hidden.emplace_back(rows.begin() + static_cast<int64_t>(at),
                          rows.begin() + static_cast<int64_t>(at + width));
  }
  Floats mean() const {
    Floats all(hidden[0].size());
    for (size_t i = 0; i < all.size(); ++i) {
      double sum = 0;
      for (const Floats& row : hidden) sum += row[i];
      all[i] = static_cast<float>(sum / static_cast<double>(hidden.size()));
    }
    return all;
  }
};

double length(std::span<const float> v) {
  double squares = 0;
  for (const float x : v) squares += double{x} * x;
  return std::sqrt(squares);
}

void expect_near(std::span<const float> got, const Floats& expected, double scale,
                 const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  const double size = length(expected);
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i] * scale, 1e-4 * size * scale) << what << ", number " << i;
}

TEST(Embeddings, AreThoseOfTransformersHiddenStates) {
  for (const std::string name : {"llama_gqa3_tied", "llama_three_pages", "qwen2_untied"}) {
    const Reference reference(name);
    const Model model = loaded(name, {.numerics = Numerics::exact, .max_batch = 50});
    const std::vector<Ids> texts = {reference.tokens};
    const std::pair<Pooling, Floats> expected[] = {{Pooling::mean, reference.mean()},
                                                   {Pooling::last, reference.hidden.back()},
                                                   {Pooling::cls, reference.hidden[0]},
                                                   {Pooling::automatic, reference.hidden.back()}};
    for (const auto& [pooling, vector] : expected) {
      const auto raw = model.embed(texts, {.pooling = pooling, .normalize = false});
      ASSERT_TRUE(raw) << to_string(raw.error());
      expect_near((*raw)[0], vector, 1, name + " " + quern::name(pooling));
      const auto unit = model.embed(texts, {.pooling = pooling});
      ASSERT_TRUE(unit);
      EXPECT_NEAR(length((*unit)[0]), 1, 1e-6);
      expect_near((*unit)[0], vector, 1 / length(vector), name + " " + quern::name(pooling));
    }
  }
}

TEST(Embeddings, OfStringsAreThoseOfTheirTokens) {
  const Model model = loaded("llama_mha");
  const std::vector<std::string> texts = {"One text", "", "another one\n"};
  const std::vector<std::string> good = {texts[0], texts[2]};
  std::vector<Ids> tokens;
  for (const std::string& text : good) tokens.push_back(*model.tokenize(text));
  const auto from_text = model.embed(good), from_tokens = model.embed(tokens);
  ASSERT_TRUE(from_text && from_tokens) << to_string(from_text.error());
  EXPECT_EQ(from_text->values, from_tokens->values);
  EXPECT_EQ(from_text->size(), 2u);
  EXPECT_EQ(from_text->dimensions, model.info().width);
  EXPECT_EQ(from_text->pooling, Pooling::last);
  EXPECT_EQ(from_text->n_tokens[1], std::ssize(tokens[1]));
  EXPECT_NE(from_text->values[0], (*from_text)[1][0]);
  // This tokenizer adds no token of its own: there is nothing to read.
  const auto empty = model.embed(texts);
  ASSERT_FALSE(empty);
  EXPECT_NE(to_string(empty.error()).find("text 1"), std::string::npos);
  EXPECT_TRUE(model.embed(std::vector<Ids>{})->values.empty());
}

TEST(Embeddings, HaveTheSameBitsAloneAndInACrowd) {
  const Model model = loaded("llama_gqa3_tied", {.threads = 2, .max_batch = 64});
  std::vector<Ids> texts;
  for (int i = 0; i < 12; ++i) texts.push_back(Ids(1 + i * 17, 5 + i));
  for (const Pooling pooling : {Pooling::mean, Pooling::last}) {
    std::vector<Floats> alone;
    const Model other = loaded("llama_gqa3_tied", {.threads = 1, .max_batch = 512});
    for (const Ids& text : texts)
      alone.push_back(other.embed(std::vector<Ids>{text}, {.pooling = pooling})->values);

    std::atomic<bool> stop = false;
    std::thread busy([&] {
      while (!stop) {
        GenerateOptions options;
        options.max_tokens = 20;
        options.ignore_eos = true;
        EXPECT_TRUE(model.generate(Ids{1, 2, 3, 4}, options));
      }
    });
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller) {
      callers.emplace_back([&] {
        const auto all = model.embed(texts, {.pooling = pooling});
        ASSERT_TRUE(all) << to_string(all.error());
        for (size_t i = 0; i < texts.size(); ++i)
          EXPECT_EQ(Floats((*all)[i].begin(), (*all)[i].end()), alone[i]) << "text " << i;
      });
    }
    for (std::thread& caller : callers) caller.join();
    stop = true;
    busy.join();
  }
}

TEST(Embeddings, DimensionsAreTheFirstOnes) {
  const Model model = loaded("llama_mha");
  const std::vector<Ids> texts = {{1, 2, 3}, {4, 5}};
  const auto raw = model.embed(texts, {.normalize = false});
  const auto cut = model.embed(texts, {.normalize = false, .dimensions = 10});
  const auto unit = model.embed(texts, {.dimensions = 10});
  ASSERT_TRUE(raw && cut && unit);
  EXPECT_EQ(cut->dimensions, 10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ((*cut)[1][i], (*raw)[1][i]);
  EXPECT_NEAR(length((*unit)[1]), 1, 1e-6);
}

TEST(Embeddings, RefusalsSayWhatAndWhere) {
  const Model model = loaded("llama_mha", {.context = 64});
  const auto refused = [](const auto& result, Code code, const std::string& what) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code);
    EXPECT_NE(to_string(result.error()).find(what), std::string::npos) << to_string(result.error());
  };
  const std::vector<Ids> good = {{1}};
  refused(model.embed(std::vector<Ids>{{1}, Ids(65, 1)}), Code::context_too_long,
          "65 tokens, the context holds 64 (text 1)");
  refused(model.embed(std::vector<Ids>{{1}, {}}), Code::invalid_argument, "text 1");
  refused(model.embed(std::vector<Ids>{{-1}}), Code::invalid_argument, "token id -1");
  refused(model.embed(good, {.dimensions = 97}), Code::invalid_argument,
          "the model's vectors have 96");
  refused(model.embed(good, {.dimensions = -1}), Code::invalid_argument, "dimensions is -1");
  refused(model.embed(good, {.keep_going = [] { return false; }}), Code::cancelled, "stopped");
  EXPECT_TRUE(model.embed(good));
}

TEST(Embeddings, TheFileNamesItsPooling) {
  const auto of = [](std::optional<int64_t> kind) {
    MemorySource source("memory", "llama");
    if (kind) source.metadata().entries["llama.pooling_type"] = *kind;
    return pooling_of(source);
  };
  EXPECT_EQ(*of({}), Pooling::last);
  EXPECT_EQ(*of(0), Pooling::last);
  EXPECT_EQ(*of(1), Pooling::mean);
  EXPECT_EQ(*of(2), Pooling::cls);
  EXPECT_EQ(*of(3), Pooling::last);
  for (const int64_t kind : {int64_t{4}, int64_t{-1}, int64_t{1} << 40}) {
    ASSERT_FALSE(of(kind));
    EXPECT_EQ(of(kind).error().code, Code::unsupported);
  }
}

}  // namespace
}  // namespace quern
