// Requests, and engines over a fake executor, for the engine's tests.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/fake_executor.h"

namespace quern {

constexpr int32_t kEnd = 60;

inline EngineOptions options() {
  return {
      .end_ids = {kEnd},
      .token_bytes = [](int32_t id) { return std::string(1, static_cast<char>('A' + id % 26)); },
      .max_sequences = 8,
      .prompt_rows_beside_streams = 5};
}

inline Request request(std::vector<int32_t> prompt, int max_tokens, float temperature = 0) {
  Request r;
  r.prompt = std::move(prompt);
  r.options.max_tokens = max_tokens;
  r.options.sampling.temperature = temperature;
  return r;
}

struct Done {
  std::vector<int32_t> ids;
  std::string text;
  Finish finish = Finish::cancelled;
  Timings timings;
  bool over = false;
};

inline void collect(Engine& engine, RequestId id, Done& done) {
  Output output = engine.take(id);
  ASSERT_FALSE(output.error) << to_string(*output.error);
  done.ids.insert(done.ids.end(), output.ids.begin(), output.ids.end());
  done.text += output.text;
  if (!output.finish) return;
  done.over = true;
  done.finish = *output.finish;
  done.timings = output.timings;
}

inline Done run(Engine& engine, Request r) {
  const auto id = engine.submit(std::move(r));
  EXPECT_TRUE(id);
  while (engine.step() > 0) {
  }
  Done done;
  collect(engine, *id, done);
  return done;
}

// `done` is what was expected, or where it was cancelled a beginning of it.
inline void expect_same(const Done& done, const Done& expected) {
  if (done.finish == Finish::cancelled) {
    ASSERT_LE(done.ids.size(), expected.ids.size());
    ASSERT_TRUE(std::equal(done.ids.begin(), done.ids.end(), expected.ids.begin()));
    return;
  }
  ASSERT_EQ(done.ids, expected.ids);
  ASSERT_EQ(done.text, expected.text);
  ASSERT_EQ(done.finish, expected.finish);
}

// The answer of the request alone, with an empty cache.
inline Done alone(Request r, FakeExecutor::Shape shape = {.max_rows = 512, .n_pages = 256}) {
  FakeExecutor executor(shape);
  Engine engine(executor, options());
  return run(engine, std::move(r));
}

// A language of 61 tokens in which the previous tokens decide which may follow: one token or three,
// and the end after four.
class FakeConstraint final : public Constraint {
 public:
  // fails_at: the token at which it has an error; -1: none.
  explicit FakeConstraint(int fails_at = -1) : fails_at_(fails_at) {}

  Result<> mask(std::span<uint32_t> bits) override {
    if (n_ == fails_at_) return Error{Code::invalid_argument, "the grammar is spent", "", ""};
    std::fill(bits.begin(), bits.end(), 0);
    const auto allow = [&](uint32_t id) { bits[id / 32] |= 1u << (id % 32); };
    allow(state_ % 59);
    if (!single()) allow((state_ >> 8) % 59), allow((state_ >> 16) % 59);
    if (n_ >= 20) allow(kEnd);
    return Ok{};
  }
  Result<> consume(int32_t token) override {
    state_ = (state_ ^ static_cast<uint32_t>(token)) * 2654435761u + 12345;
    ++n_;
    return Ok{};
  }
  std::vector<int32_t> forced() override {
    FakeConstraint ahead = *this;
    std::vector<int32_t> tokens;
    while (ahead.single() && ahead.n_ != fails_at_) {
      tokens.push_back(static_cast<int32_t>(ahead.state_ % 59));
      (void)ahead.consume(tokens.back());
    }
    return tokens;
  }
  bool over() override { return n_ == 33; }

 private:
  bool single() const { return state_ % 3 != 0 && n_ < 20; }

  uint32_t state_ = 7;
  int n_ = 0, fails_at_;
};

}  // namespace quern
