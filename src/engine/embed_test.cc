// Vectors of texts over the fake executor, whose rows are hashes of what was read before them: a
// text read through wrong pages, in a wrong order or with a row too few gives another vector.
#include "engine/embed.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/engine.h"
#include "engine/fake_executor.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;
using Floats = std::vector<float>;
constexpr Pooling kAll[] = {Pooling::mean, Pooling::last, Pooling::cls};

EngineOptions engine_options() {
  return {.end_ids = {}, .token_bytes = [](int32_t) { return std::string("x"); }};
}

std::vector<Ids> texts_of(const std::vector<int>& lengths) {
  std::vector<Ids> texts;
  for (const int n : lengths) {
    Ids& text = texts.emplace_back();
    for (int i = 0; i < n; ++i) text.push_back((n * 31 + i * 7 + i * i) % 61);
  }
  return texts;
}

// Through an engine; fails the test where it fails.
Floats embed(Engine& engine, FakeExecutor& executor, const std::vector<Ids>& texts,
             Pooling pooling) {
  Floats out(texts.size() * executor.width());
  Embedding embedding(executor, texts, {.pooling = pooling, .normalize = false}, out);
  while (!embedding.done()) {
    const auto outcome = engine.advance(embedding);
    EXPECT_TRUE(outcome) << to_string(outcome.error());
    if (!outcome) break;
  }
  return out;
}

Floats embed(const FakeExecutor::Shape& shape, const std::vector<Ids>& texts, Pooling pooling) {
  FakeExecutor executor(shape);
  Engine engine(executor, engine_options());
  return embed(engine, executor, texts, pooling);
}

// By one pass over the whole text and the definition of the pooling.
Floats defined(const Ids& text, Pooling pooling) {
  FakeExecutor executor({.max_rows = 1000, .page_tokens = 1000, .roles_count = true});
  const int n = static_cast<int>(text.size()), width = executor.width();
  const bool mean = pooling == Pooling::mean, cls = pooling == Pooling::cls;
  const Ids page = {0};
  Ids used;
  for (int i = 0; i < n; ++i)
    if (mean || (cls ? i == 0 : i == n - 1)) used.push_back(i);
  // The first row alone cannot have Role::used in a longer chunk: it stands for the text.
  const int n_rows = cls ? 1 : n;
  const Chunk whole = {0, n_rows, 0, page, static_cast<int>(used.size())};
  Floats rows(used.size() * width), result(width);
  EXPECT_TRUE(executor.embed({std::span(text).first(n_rows), std::span(&whole, 1), used}, rows));
  for (int i = 0; i < width; ++i) {
    double sum = 0;
    for (size_t row = 0; row < used.size(); ++row) sum += rows[row * width + i];
    result[i] = static_cast<float>(sum / static_cast<double>(used.size()));
  }
  return result;
}

TEST(Embedding, IsWhatThePoolingSaysWhateverTheBatches) {
  const auto texts = texts_of({5, 1, 40, 16, 3, 3, 3, 33, 2});
  for (const Pooling pooling : kAll) {
    Floats expected;
    for (const Ids& text : texts) {
      const Floats one = defined(text, pooling);
      expected.insert(expected.end(), one.begin(), one.end());
    }
    for (const int max_rows : {1, 3, 16, 17, 200})
      for (const int n_pages : {10, 64})  // 10: just enough for the longest text
        EXPECT_EQ(
            embed({.max_rows = max_rows, .n_pages = n_pages, .roles_count = true}, texts, pooling),
            expected)
            << "pooling " << static_cast<int>(pooling) << ", " << max_rows << " rows, " << n_pages
            << " pages";
  }
}

TEST(Embedding, TextsShareAPassAsLongAsTheyFit) {
  FakeExecutor executor({.max_rows = 16});
  Engine engine(executor, engine_options());
  embed(engine, executor, texts_of({4, 4, 4, 4}), Pooling::mean);
  EXPECT_EQ(executor.n_steps, 1);
  EXPECT_EQ(executor.most_chunks, 4u);
  embed(engine, executor, texts_of({10, 10, 6}), Pooling::mean);  // 10 | 10 and 6
  EXPECT_EQ(executor.n_steps, 3);
  embed(engine, executor, texts_of({20, 12, 1}), Pooling::last);  // 16 | 4 and 12 | 1
  EXPECT_EQ(executor.n_steps, 6);
  EXPECT_EQ(engine.n_free_pages(), executor.groups()[0].n_pages);
}

TEST(Embedding, TheFirstTokensStateNeedsNoOtherToken) {
  FakeExecutor executor({.max_rows = 16});
  Engine engine(executor, engine_options());
  embed(engine, executor, texts_of({16, 16, 16}), Pooling::cls);
  EXPECT_EQ(executor.n_rows, 3);
}

TEST(Embedding, RunningRequestsLosePagesAndNoToken) {
  const auto generate = [](bool beside_texts) {
    FakeExecutor executor({.max_rows = 16, .n_pages = 12});
    Engine engine(executor, engine_options());
    Request request;
    request.prompt = Ids(8, 3);
    request.options.max_tokens = 30;
    request.options.sampling.temperature = 0;
    request.options.ignore_eos = true;
    const auto id = engine.submit(std::move(request));
    EXPECT_TRUE(id);
    for (int i = 0; i < 10; ++i) engine.step();
    const auto texts = texts_of({48, 7});  // all pages
    if (beside_texts) {
      EXPECT_EQ(embed(engine, executor, {texts[0]}, Pooling::last),
                embed({}, {texts[0]}, Pooling::last));
    }
    while (engine.step() > 0) {
    }
    return engine.take(*id).ids;
  };
  const Ids undisturbed = generate(false);
  EXPECT_EQ(undisturbed.size(), 30u);
  EXPECT_EQ(generate(true), undisturbed);
}

TEST(Embedding, AnEndBeforeTheEndGivesAllPagesBack) {
  FakeExecutor executor({.max_rows = 4});
  Engine engine(executor, engine_options());
  const auto texts = texts_of({30});
  Floats out(executor.width());
  int n_asked = 0;
  Embedding stopped(executor, texts, {.keep_going = [&] { return ++n_asked < 3; }}, out);
  const auto cancelled = engine.advance(stopped);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, Code::cancelled);
  EXPECT_EQ(executor.n_steps, 2);
  EXPECT_EQ(engine.n_free_pages(), executor.groups()[0].n_pages);

  Embedding failing(executor, texts, {}, out);
  executor.fail_next = Error{Code::unavailable, "the device is lost", "", ""};
  const auto failed = engine.advance(failing);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::unavailable);
  EXPECT_EQ(engine.n_free_pages(), executor.groups()[0].n_pages);
}

TEST(Embedding, TextsThatCannotBeReadAreNamed) {
  const auto refused = [](const std::vector<Ids>& texts) {
    const auto checked = check_texts(texts, 61, 16);
    EXPECT_FALSE(checked);
    return checked ? "" : to_string(checked.error());
  };
  EXPECT_TRUE(check_texts(texts_of({1, 16}), 61, 16));
  EXPECT_TRUE(check_texts({}, 61, 16));
  EXPECT_NE(refused({{1}, {}}).find("a text is empty (text 1)"), std::string::npos);
  EXPECT_NE(refused({{1}, {2, 61}}).find("id 61"), std::string::npos);
  EXPECT_NE(refused({{1}, {2, -1}}).find("text 1, token 1"), std::string::npos);
  const std::string too_long = refused(texts_of({16, 17}));
  EXPECT_NE(too_long.find("17 tokens, the context holds 16 (text 1)"), std::string::npos)
      << too_long;
}

}  // namespace
}  // namespace quern
