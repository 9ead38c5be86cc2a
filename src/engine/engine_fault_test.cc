// Faults of models and requests: bytes that are not text, logits that are NaN or Inf, and rules
// that leave no token.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/fake_engine.h"
#include "text/utf8_stream.h"

namespace quern {
namespace {

constexpr int kTokens = 61;  // of the fake executor's vocabulary

// Tokens of one to three bytes, cut from characters of every length and from bytes that are none.
std::vector<std::string> random_tokens(std::mt19937& random) {
  const std::string parts[] = {"a",    " ",        "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                               "\xff", "\xe2\x82", "\xc0\xaf", "\xed\xa0\x80", "\x80"};
  std::string bytes;
  while (bytes.size() < 200) {
    const auto& part = parts[random() % (random() % 4 == 0 ? std::size(parts) : 5)];
    bytes += part;
  }
  std::vector<std::string> tokens;
  for (int i = 0; i < kTokens; ++i)
    tokens.push_back(bytes.substr(random() % 190, 1 + random() % 3));
  return tokens;
}

struct Streamed {
  std::string text, bytes;
  std::optional<Finish> finish;
};

Streamed stream(const std::vector<std::string>& tokens, Request r) {
  FakeExecutor executor(
      {.n_vocab = kTokens, .context = 3});  // it repeats itself: draft tokens are accepted
  EngineOptions o = options();
  o.token_bytes = [&](int32_t id) { return tokens[id]; };
  Engine engine(executor, o);
  const RequestId id = *engine.submit(std::move(r));
  Streamed all;
  while (!all.finish) {
    engine.step();
    const Output output = engine.take(id);
    EXPECT_TRUE(is_valid_utf8(output.text));
    all.text += output.text;
    for (const int32_t token : output.ids) all.bytes += tokens[token];
    all.finish = output.finish;
  }
  return all;
}

// Where characters begin, and the end.
std::vector<size_t> characters(const std::string& text) {
  std::vector<size_t> begins;
  for (size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0u) != 0x80u) begins.push_back(i);
  begins.push_back(text.size());
  return begins;
}

TEST(EngineFaults, AnyBytesStreamAsWholeCharactersUpToTheStop) {
  std::mt19937 random(1);
  int n_stopped = 0, n_inside = 0;
  for (int round = 0; round < 150; ++round) {
    const auto tokens = random_tokens(random);
    Request r = request({static_cast<int32_t>(random() % kTokens)}, 40);
    r.options.ignore_eos = true;
    const Streamed whole = stream(tokens, r);
    EXPECT_EQ(whole.text, to_valid_utf8(whole.bytes));

    const auto at = characters(whole.text);
    const size_t first = random() % (at.size() - 1);
    const size_t last = std::min(first + 1 + random() % 5, at.size() - 1);
    const std::string stop = whole.text.substr(at[first], at[last] - at[first]);
    r.options.stop = {stop + "never", stop};
    const Streamed cut = stream(tokens, r);
    EXPECT_EQ(cut.text, whole.text.substr(0, whole.text.find(stop)));
    EXPECT_EQ(cut.finish, Finish::stop);
    n_stopped += cut.bytes.size() < whole.bytes.size();
    n_inside += stop.size() > last - first;  // it holds characters of several bytes
  }
  // The rounds covered their cases: stops in the middle of answers, and of several bytes.
  EXPECT_GT(n_stopped, 50);
  EXPECT_GT(n_inside, 50);
}

TEST(EngineFaults, AStopInsideACharacterIsRefused) {
  FakeExecutor executor({});
  Engine engine(executor, options());
  for (const char* bytes : {"\x82", "\xe2\x82", "a\xff", "\xed\xa0\x80"}) {
    Request r = request({1}, 5);
    r.options.stop = {"fine", bytes};
    const auto id = engine.submit(r);
    ASSERT_FALSE(id);
    EXPECT_EQ(id.error().code, Code::invalid_argument);
    EXPECT_EQ(id.error().what, "stop string 1 is not valid UTF-8");
  }
}

// Errors of the answers to one request, which all end.
std::vector<Error> errors_of(Engine& engine, Request r) {
  const int n = r.options.n;
  const RequestId first = *engine.submit(std::move(r));
  int n_steps = 0;
  while (engine.step() > 0 && ++n_steps < 1000) {
  }
  EXPECT_LT(n_steps, 1000);
  std::vector<Error> errors;
  for (RequestId id = first; id < first + n; ++id) {
    const Output output = engine.take(id);
    EXPECT_TRUE(output.finished());
    if (output.error) errors.push_back(*output.error);
  }
  return errors;
}

TEST(EngineFaults, NumbersThatAreNoneEndTheAnswersOfThePassAndNoLaterOnes) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  FakeExecutor executor({});
  Engine engine(executor, options());
  for (const float number : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    for (const float temperature : {0.f, 1.f}) {
      executor.always = number;
      Request r = request({1, 2, 3, 4, 5}, 10, temperature);
      r.options.n = 3;
      const auto errors = errors_of(engine, r);
      ASSERT_EQ(errors.size(), 3u);
      for (const Error& error : errors) EXPECT_EQ(error.code, Code::corrupt);
      EXPECT_EQ(engine.n_free_pages(), executor.groups()[0].n_pages);
      executor.always.reset();
      EXPECT_EQ(run(engine, request({7, 8}, 10)).ids, alone(request({7, 8}, 10)).ids);
    }
  }
}

TEST(EngineFaults, EqualLogitsAreAnAnswerLikeAnyOther) {
  FakeExecutor executor({});
  Engine engine(executor, options());
  executor.always = 0;
  const Done greedy = run(engine, request({1}, 10));
  EXPECT_EQ(greedy.ids, std::vector<int32_t>(10, 0));
  Request sampled = request({1}, 10, 1);
  sampled.options.ignore_eos = true;
  EXPECT_EQ(run(engine, sampled).ids.size(), 10u);
}

TEST(EngineFaults, RulesThatLeaveNoTokenEndTheAnswer) {
  FakeExecutor executor({});
  Engine engine(executor, options());
  Request none = request({1, 2, 3}, 10);
  for (int32_t id = 0; id < kTokens; ++id) none.options.sampling.banned.push_back(id);
  Request contradictory = request({1, 2, 3}, 10);
  contradictory.options.sampling.allowed = {5, 6};
  contradictory.options.sampling.banned = {5, 6};
  for (Request r : {none, contradictory}) {
    r.options.n = 2;
    const auto errors = errors_of(engine, r);
    ASSERT_EQ(errors.size(), 2u);
    for (const Error& error : errors) EXPECT_EQ(error.code, Code::invalid_argument);
    EXPECT_EQ(engine.n_free_pages(), executor.groups()[0].n_pages);
  }
  EXPECT_EQ(run(engine, request({7, 8}, 10)).ids, alone(request({7, 8}, 10)).ids);
}

}  // namespace
}  // namespace quern
