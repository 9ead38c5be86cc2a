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

}  // namespace
}  // namespace quern
