#include "text/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace quern {
namespace {

// By the definition: the first byte at which any stop ends; there, the longest stop.
StopStrings::Step slow_answer(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    std::optional<size_t> best;
    for (size_t i = 0; i < stops.size(); ++i) {
      const std::string& stop = stops[i];
      if (stop.empty() || stop.size() > end) continue;
      if (text.compare(end - stop.size(), stop.size(), stop) != 0) continue;
      if (!best || stop.size() > stops[*best].size()) best = i;
    }
    if (best) return {text.substr(0, end - stops[*best].size()), best};
  }
  return {text, std::nullopt};
}

// The longest end of `text` that begins some stop.
size_t slow_held(const std::string& text, const std::vector<std::string>& stops) {
  size_t held = 0;
  for (const std::string& stop : stops) {
    for (size_t n = 1; n < stop.size() && n <= text.size(); ++n) {
      if (text.compare(text.size() - n, n, stop, 0, n) == 0) held = std::max(held, n);
    }
  }
  return held;
}

TEST(StopStrings, StopAcrossPieces) {
  StopStrings stops({"<|end|>"});
  EXPECT_EQ(stops.push("hello <").text, "hello ");
  EXPECT_EQ(stops.held(), 1u);
  EXPECT_EQ(stops.push("|en").text, "");
  const auto step = stops.push("d|> more");
  EXPECT_EQ(step.text, "");
  EXPECT_EQ(step.stop, 0u);
  EXPECT_EQ(stops.push("and more").text, "");
}

TEST(StopStrings, WhatDidNotBecomeAStopIsLetThrough) {
  StopStrings stops({"\n\nUser:"});
  EXPECT_EQ(stops.push("a\n\n").text, "a");
  EXPECT_EQ(stops.push("\nU").text, "\n");
  EXPECT_EQ(stops.push("nit").text, "\n\nUnit");
  EXPECT_EQ(stops.push("\n").text, "");
  EXPECT_EQ(stops.flush(), "\n");
}

TEST(StopStrings, TheFirstToBeCompleteWinsThenTheLongest) {
  EXPECT_EQ(StopStrings({"abcd", "bc"}).push("xabcd").stop, 1u);
  EXPECT_EQ(StopStrings({"abcd", "bc"}).push("xabcd").text, "xa");
  EXPECT_EQ(StopStrings({"bc", "abc"}).push("xabc").stop, 1u);
  EXPECT_EQ(StopStrings({"abc", "abc"}).push("abc").stop, 0u);
}

TEST(StopStrings, NoStopsHoldNothingBack) {
  StopStrings none({});
  EXPECT_EQ(none.push("anything").text, "anything");
  StopStrings empty({""});
  EXPECT_EQ(empty.push("anything").text, "anything");
  EXPECT_EQ(empty.held(), 0u);
}

TEST(StopStrings, RandomTextsInRandomPieces) {
  std::mt19937 random(7);
  const auto word = [&](size_t longest, bool nonempty) {
    std::string text(random() % (longest + 1 - nonempty) + nonempty, 'a');
    for (char& c : text) c = "ab"[random() % 2];
    return text;
  };
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::string> list(random() % 4);
    for (std::string& stop : list) stop = word(6, false);
    const std::string text = word(14, false);
    const StopStrings::Step want = slow_answer(text, list);
    StopStrings stops(list);
    StopStrings::Step got;
    for (size_t at = 0; at < text.size() && !got.stop;) {
      const size_t n = random() % 3 + 1;
      const StopStrings::Step step = stops.push(std::string_view(text).substr(at, n));
      at = std::min(at + n, text.size());
      got.text += step.text;
      got.stop = step.stop;
      if (!got.stop) {
        EXPECT_EQ(stops.held(), slow_held(text.substr(0, at), list));
      }
    }
    if (!got.stop) got.text += stops.flush();
    EXPECT_EQ(got.text, want.text);
    EXPECT_EQ(got.stop, want.stop);
  }
}

// ---- control tokens. A stream is bytes and, from kStopToken on, tokens.

std::string visible(const StopSymbols& symbols) {
  std::string text;
  for (const int32_t symbol : symbols)
    if (symbol < kStopToken) text += static_cast<char>(symbol);
  return text;
}

bool ends_with(const StopSymbols& stream, const StopSymbols& pattern) {
  return !pattern.empty() && pattern.size() <= stream.size() &&
         std::equal(pattern.rbegin(), pattern.rend(), stream.rbegin());
}

// By the definition: at the first symbol at which any form of a stop ends, the one that starts
// first; of two that are the same text, the one without tokens.
StopStrings::Step slow_answer(const StopSymbols& stream, const std::vector<std::string>& stops,
                              const std::vector<StopSymbols>& with_tokens) {
  StopSymbols known;  // without tokens that no stop spells
  for (const int32_t symbol : stream) {
    const bool spelled = std::ranges::any_of(with_tokens, [&](const StopSymbols& stop) {
      return std::ranges::find(stop, symbol) != stop.end();
    });
    if (symbol >= kStopToken && !spelled) continue;
    known.push_back(symbol);
    const std::string text = visible(known);
    std::optional<size_t> best, bytes, longest;
    for (size_t i = 0; i < stops.size(); ++i)
      if (symbol < kStopToken && !stops[i].empty() && text.ends_with(stops[i]) &&
          (!bytes || stops[i].size() > *bytes))
        best = i, bytes = stops[i].size();
    for (size_t i = 0; i < with_tokens.size(); ++i)
      if (ends_with(known, with_tokens[i]) &&
          (!longest || with_tokens[i].size() > with_tokens[*longest].size()))
        longest = i;
    if (longest) {
      const size_t n = visible(with_tokens[*longest]).size();
      if (!bytes || n > *bytes) best = longest, bytes = n;
    }
    if (best) return {text.substr(0, text.size() - *bytes), best};
  }
  return {visible(stream), std::nullopt};
}

StopStrings::Step pushed(StopStrings& stops, const StopSymbols& stream) {
  StopStrings::Step all;
  for (const int32_t symbol : stream) {
    StopStrings::Step step = symbol >= kStopToken
                                 ? stops.push_token(symbol - kStopToken)
                                 : stops.push(std::string(1, static_cast<char>(symbol)));
    all.text += step.text;
    all.stop = step.stop;
    if (step.stop) return all;
  }
  all.text += stops.flush();
  return all;
}

TEST(StopStrings, TokensAreNoText) {
  constexpr int32_t kX = kStopToken + 7, kY = kStopToken + 8;
  StopStrings alone({"<x>"}, {{kX}});
  EXPECT_EQ(alone.push("a<").text, "a");
  EXPECT_EQ(alone.push_token(8).text, "");  // of no stop: skipped
  EXPECT_EQ(alone.push("x").text, "");
  EXPECT_EQ(alone.push_token(7).stop, 0u);
  EXPECT_EQ(alone.push_token(7).stop, std::nullopt);  // nothing follows a stop
  StopStrings spelled({"<x>"}, {{kX}});
  EXPECT_EQ(spelled.push("a<x>b").text, "a");
  StopStrings both({"a<x>b<y>"}, {{'a', kX, 'b', kY}});
  EXPECT_EQ(both.push("aa").text, "a");
  EXPECT_EQ(both.push_token(7).text, "");
  EXPECT_EQ(both.push("b").text, "");
  EXPECT_EQ(both.held(), 2u);
  EXPECT_EQ(both.push_token(7).text, "ab");  // the wrong one
  StopStrings plain({"ab"}, {});
  EXPECT_EQ(plain.push("a").text, "");
  EXPECT_EQ(plain.push_token(7).text, "");
  EXPECT_EQ(plain.push("b").stop, 0u);
}

TEST(StopStrings, RandomStreamsOfTokensAndText) {
  std::mt19937 random(11);
  const auto stream = [&](size_t longest, int n_tokens) {
    StopSymbols symbols(random() % (longest + 1));
    for (int32_t& symbol : symbols) {
      const auto draw = static_cast<int>(random() % (2 + n_tokens));
      symbol = draw < 2 ? "ab"[draw] : kStopToken + draw - 2;
    }
    return symbols;
  };
  const auto spelled = [](const StopSymbols& symbols) {
    std::string text;
    for (const int32_t symbol : symbols)
      text += symbol < kStopToken ? std::string(1, static_cast<char>(symbol))
                                  : "<" + std::to_string(symbol - kStopToken) + ">";
    return text;
  };
  int n_stopped = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> list;
    std::vector<StopSymbols> with_tokens;
    for (size_t n = random() % 4; n > 0; --n) {
      const StopSymbols stop = stream(5, 2);
      list.push_back(spelled(stop));
      const bool any = visible(stop).size() < stop.size();
      with_tokens.push_back(any ? stop : StopSymbols());
    }
    const StopSymbols text = stream(12, 3);
    const StopStrings::Step want = slow_answer(text, list, with_tokens);
    StopStrings stops(list, with_tokens);
    const StopStrings::Step got = pushed(stops, text);
    EXPECT_EQ(got.text, want.text);
    EXPECT_EQ(got.stop, want.stop);
    n_stopped += want.stop.has_value();
  }
  EXPECT_GT(n_stopped, 3000);
}

}  // namespace
}  // namespace quern
