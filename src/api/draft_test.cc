// Tiny real models with a draft model: samples are those without one, and which model may draft for
// which.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "api/same_tokens.h"
#include "api/vocabulary_from_gguf.h"
#include "compile/compile.h"
#include "engine/engine.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "quern/model.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

std::string tiny(const std::string& name) {
  return QUERN_SOURCE_DIR "/tests/data/tiny/" + name + ".gguf";
}

template <class T>
T value(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));  // the test's, not Quern's
  return std::move(*result);
}

std::unique_ptr<Executor> compiled(const std::string& name, Numerics numerics,
                                   std::shared_ptr<ThreadPool> pool) {
  return value(compile(std::shared_ptr<const WeightSource>(value(open_model(tiny(name)))),
                       {.pool = std::move(pool), .numerics = numerics, .cache_tokens = 16384}));
}

// Three tokens at a temperature of 1, of the eight likeliest each, so that few answers are
// possible.
class Sampled : public ::testing::Test {
 protected:
  static constexpr int kAnswers = 2048, kTop = 8, kTokens = 3;

  std::unique_ptr<Engine> engine(Executor* draft) {
    return std::make_unique<Engine>(
        *model_, EngineOptions{.token_bytes = [](int32_t) { return std::string("a"); },
                               .draft = draft,
                               .always_guess = draft != nullptr});
  }

  std::vector<Ids> answers(Engine& engine) {
    Request request{.prompt = prompt_};
    request.options = {.max_tokens = kTokens, .ignore_eos = true, .n = 8};
    request.options.sampling = {.temperature = 1, .top_k = kTop, .top_p = 1, .min_p = 0};
    std::vector<Ids> all;
    for (int i = 0; i < kAnswers; i += request.options.n) {
      request.options.sampling.seed = i;
      request.options.cache_salt = std::to_string(i);  // no drafts from earlier answers
      const RequestId first = value(engine.submit(request));
      while (engine.step() > 0) {
      }
      for (int j = 0; j < request.options.n; ++j) all.push_back(engine.take(first + j).ids);
    }
    return all;
  }

  // The possible next tokens, with their probabilities.
  std::map<int32_t, double> likeliest(Engine& engine, const Ids& tokens) {
    std::vector<float> logits;
    const auto outcome = engine.score(
        tokens, 0,
        [&](int64_t, std::span<const float> row) {
          logits.assign(row.begin(), row.end());
          return true;
        },
        std::ssize(prompt_));
    EXPECT_TRUE(outcome);
    Ids order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + kTop, order.end(),
                      [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    std::map<int32_t, double> likely;
    double sum = 0;
    for (int i = 0; i < kTop; ++i)
      sum += likely[order[i]] = std::exp(double{logits[order[i]]} - logits[order[0]]);
    for (auto& [token, p] : likely) p /= sum;
    return likely;
  }

  // All possible answers, with their probabilities.
  std::map<Ids, double> distribution(Engine& engine) {
    std::map<Ids, double> all = {{{}, 1.0}};
    for (int i = 0; i < kTokens; ++i) {
      std::map<Ids, double> longer;
      for (const auto& [answer, p] : all) {
        Ids tokens = prompt_;
        tokens.insert(tokens.end(), answer.begin(), answer.end());
        for (const auto& [token, its] : likeliest(engine, tokens)) {
          Ids next = answer;
          next.push_back(token);
          longer[next] = p * its;
        }
      }
      all = std::move(longer);
    }
    return all;
  }

  // Pearson's test, of which one in a thousand would fail; rare answers count as one.
  static void expect_distribution(const std::vector<Ids>& answers,
                                  const std::map<Ids, double>& distribution) {
    std::map<Ids, int> seen;
    for (const Ids& answer : answers) ++seen[answer];
    double chi_square = 0, rare = 0;
    int n_cells = 0, n_rare = 0, n_possible = 0;
    const auto add = [&](double wanted, int found) {
      chi_square += (found - wanted) * (found - wanted) / wanted;
      ++n_cells;
    };
    for (const auto& [answer, p] : distribution) {
      const double wanted = p * kAnswers;
      n_possible += seen[answer];
      if (wanted >= 5) {
        add(wanted, seen[answer]);
      } else {
        rare += wanted;
        n_rare += seen[answer];
      }
    }
    add(rare, n_rare);
    EXPECT_EQ(n_possible, kAnswers);  // no other answer came
    EXPECT_GE(n_cells, 20);
    const double k = n_cells - 1, spread = 2 / (9 * k);
    EXPECT_LT(chi_square,
              k * std::pow(1 - spread + 3.09 * std::sqrt(spread), 3));  // Wilson-Hilferty
  }

  const std::shared_ptr<ThreadPool> pool_ = value(start_pool({.threads = 2}));
  const std::unique_ptr<Executor> model_ = compiled("llama_gqa3_tied", Numerics::automatic, pool_);
  const Ids prompt_ = {20, 50, 110, 33, 7};
};

TEST_F(Sampled, TokensAreThoseWithoutADraftAndOfTheModelsDistribution) {
  const auto plain = engine(nullptr);
  const std::vector<Ids> expected = answers(*plain);
  for (const char* name : {"llama_gqa3_tied", "llama_mha"}) {  // itself, and an unrelated one
    const auto draft = compiled(name, Numerics::fast, pool_);
    const auto drafted = engine(draft.get());
    EXPECT_EQ(answers(*drafted), expected);
    const EngineCounts& counts = drafted->counts();
    EXPECT_GT(counts.n_model_drafts, kAnswers / 4);
    EXPECT_GT(counts.n_model_drafts, counts.n_true_model_drafts);
    if (name == std::string("llama_gqa3_tied")) {
      EXPECT_GT(counts.n_true_model_drafts, kAnswers / 16);
    }
  }
  expect_distribution(expected, distribution(*plain));
}

TEST(Draft, ALoadedModelSaysTheSameWithAndWithout) {
  const Model plain = value(Model::load(tiny("llama_gqa3_tied"), {.threads = 1}));
  const Model drafted = value(
      Model::load(tiny("llama_gqa3_tied"), {.threads = 1, .draft_model = tiny("llama_gqa3_tied")}));
  for (const float temperature : {0.f, 1.f}) {
    GenerateOptions o{.max_tokens = 60, .ignore_eos = true};
    o.sampling.temperature = temperature;
    const Ids prompt = value(plain.tokenize("Once upon a time"));
    const Generation with = value(drafted.generate(prompt, o));
    EXPECT_EQ(with.ids, value(plain.generate(prompt, o)).ids);
    EXPECT_GT(with.timings.draft_n, 0);  // a new answer always tries
    o.speculate = false;
    EXPECT_EQ(value(drafted.generate(prompt, o)).timings.draft_n, 0);
  }
}

TEST(Draft, WhatCannotBeLoadedIsSaid) {
  const auto code = [](const LoadOptions& options) {
    const auto model = Model::load(tiny("llama_mha"), options);
    return model ? Code{} : model.error().code;
  };
  EXPECT_EQ(code({.draft_model = tiny("no such file")}), Code::not_found);
  EXPECT_EQ(code({.most_drafts = -1}), Code::invalid_argument);
  EXPECT_EQ(code({.most_drafts = 17}), Code::invalid_argument);
}

struct Tokens {
  std::vector<std::string> list = {"<s>", "</s>", "a", "b"};
  const char* kind = "gpt2";
  uint32_t bos = 0, eos = 1;
};

Result<> same(const Tokens& model, const Tokens& draft) {
  const auto bytes_of = [](const Tokens& tokens) {
    GgufWriter writer;
    writer.add("general.architecture", "llama");
    writer.add("tokenizer.ggml.model", tokens.kind);
    writer.add_array("tokenizer.ggml.tokens", std::span<const std::string>(tokens.list));
    writer.add("tokenizer.ggml.bos_token_id", tokens.bos);
    writer.add("tokenizer.ggml.eos_token_id", tokens.eos);
    return writer.bytes();
  };
  const auto its_bytes = bytes_of(model), draft_bytes = bytes_of(draft);
  const auto its = value(read_gguf(its_bytes, "big.gguf"));
  const auto drafts = value(read_gguf(draft_bytes, "small.gguf"));
  return check_same_tokens(*its, read_vocabulary(*its), *drafts);
}

TEST(Draft, OtherTokensAreRefusedByNameAndDifference) {
  const auto refused = [](const Tokens& draft, const std::string& why) {
    const auto outcome = same({}, draft);
    ASSERT_FALSE(outcome) << why;
    EXPECT_EQ(outcome.error().code, Code::invalid_argument);
    const std::string text = to_string(outcome.error());
    for (const std::string& part : {why, std::string("big.gguf"), std::string("small.gguf")})
      EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  EXPECT_TRUE(same({}, {}));
  refused({.kind = "llama"}, "of kind 'llama', not 'gpt2'");
  refused({.list = {"<s>", "</s>", "a", "c"}}, "token 3 is 'c', not 'b'");
  refused({.bos = 2}, "begins a text is token 2, not token 0");
  refused({.eos = 2}, "ends a text is token 2, not token 1");
  Tokens filled;  // to a round number
  for (int i = 0; i < 128; ++i) filled.list.push_back("[PAD" + std::to_string(i) + "]");
  EXPECT_TRUE(same({}, filled));
  EXPECT_TRUE(same(filled, {}));
  filled.list.push_back("more");
  refused(filled, "133 tokens, not 4");
}

TEST(Draft, WithoutTokenizersTheNumberOfTokensDecides) {
  const auto model = testing::make_tiny_llama({});
  const auto vocabulary = read_vocabulary(*model);
  ASSERT_FALSE(vocabulary);
  EXPECT_TRUE(check_same_tokens(*model, vocabulary, *testing::make_tiny_llama({.n_layers = 1})));
  const auto other =
      check_same_tokens(*model, vocabulary, *testing::make_tiny_llama({.n_vocab = 95}));
  ASSERT_FALSE(other);
  EXPECT_NE(to_string(other.error()).find("95, not 96"), std::string::npos);
  const auto named = value(open_model(tiny("llama_mha")));
  EXPECT_FALSE(check_same_tokens(*model, vocabulary, *named));
  EXPECT_FALSE(check_same_tokens(*named, read_vocabulary(*named), *model));
}

}  // namespace
}  // namespace quern
