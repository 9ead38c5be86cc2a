#include "engine/pace.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace quern {
namespace {

// A machine and its load, which stays: a step costs `alone`, any prompt rows `fixed` more, and each
// of them `row`.
struct Load {
  double alone, fixed, row;
  int n_streams = 1;
  Pace::Prompts prompts{1, 1'000'000};
};
struct Steps {
  double mean = 0, longest = 0;  // seconds
  double rows = 0;               // of prompts, in the mean
};

// This many steps, of which the second half counts.
Steps run(Pace& pace, const Load& load, int n = 400) {
  Steps steps;
  for (int i = 0; i < n; ++i) {
    const int rows = pace.rows(load.n_streams, load.prompts);
    const double time = load.alone + (rows > 0 ? load.fixed + rows * load.row : 0);
    pace.note({load.n_streams, rows}, time);
    if (i < n / 2) continue;
    steps.mean += time / (n - n / 2);
    steps.rows += double(rows) / (n - n / 2);
    steps.longest = std::max(steps.longest, time);
  }
  return steps;
}

TEST(Pace, OnePromptTakesAsLongAsTheStreams) {
  Pace pace(2, 512);
  const Steps steps = run(pace, {.alone = 0.040, .fixed = 0, .row = 0.001});
  EXPECT_NEAR(steps.mean, 0.082, 0.002);  // twice a stream more
  EXPECT_LT(steps.longest, 0.105);
  const Steps quieter = run(pace, {.alone = 0.040, .fixed = 0, .row = 0.00025});
  EXPECT_NEAR(quieter.mean, 0.0805, 0.002);
  EXPECT_NEAR(quieter.rows, 160, 6);
}

// Rows with a fixed cost are gathered in fewer steps.
TEST(Pace, MakesPromptRowsWorthTheirWhile) {
  Pace pace(2, 512);
  const Load load = {.alone = 0.003, .fixed = 0.0022, .row = 0.0001};
  const Steps steps = run(pace, load);
  EXPECT_NEAR(steps.mean, 0.0062, 0.0003);
  EXPECT_LT(steps.longest, 0.003 * (1 + Pace::kLongest));
  EXPECT_GT(steps.rows, 20);  // 10 a step if every step had some
}

// Also where a fixed cost is more than streams alone: then it is at most so much at a time.
TEST(Pace, HoldsUpNoStepForLong) {
  Pace pace(2, 512);
  const Steps steps = run(pace, {.alone = 0.003, .fixed = 0.009, .row = 0.0001});
  EXPECT_LT(steps.mean, 0.0072);
  EXPECT_LT(steps.longest, 0.003 * (1.2 + Pace::kLongest));
}

TEST(Pace, ManyPromptsDoNotWaitForFewStreams) {
  Pace pace(2, 512);
  const Steps steps =
      run(pace,
          {.alone = 0.003, .fixed = 0, .row = 0.0003, .n_streams = 2, .prompts = {30, 1'000'000}});
  EXPECT_NEAR(steps.rows, 10 + 60, 3);
}

TEST(Pace, StaysWithinItsBounds) {
  Pace pace(2, 128);
  EXPECT_EQ(run(pace, {.alone = 0.040, .fixed = 0, .row = 1e-6}).longest, 0.040 + 128e-6);
  Pace slow(2, 128);
  EXPECT_LE(run(slow, {.alone = 0.040, .fixed = 0, .row = 10}).longest, 0.040 + 3 * 10.0);
  Pace small(2, 4);
  EXPECT_LE(run(small, {.alone = 0.040, .fixed = 0, .row = 1e-6}).rows, 4);
}

// The time of streams alone is measured first, and again from time to time; without such a
// measurement prompts do not wait forever.
TEST(Pace, LooksFirstHowLongStreamsTakeAlone) {
  Pace pace(2, 128);
  EXPECT_EQ(pace.rows(1, {1, 100}), 0);
  pace.note({1}, 0.040);
  EXPECT_GT(pace.rows(1, {1, 100}), 0);
  for (int n_streams : {4, 64}) {
    Pace deaf(2, 128);
    int held = 0;
    while (deaf.rows(n_streams, {1, 100}) == 0) ASSERT_LE(++held, Pace::kMaxHeld);
  }
}

// Steps in which counted streams get no rows, say for lack of pages, are ignored.
TEST(Pace, DoesNotAskForEverWhatNobodyAnswers) {
  Pace pace(2, 512);
  for (int i = 0; i < 100; ++i) pace.note({.n_streams = 4, .n_drafts = 1}, 0.012);
  run(pace, {.alone = 0.010, .fixed = 0, .row = 0.001});
  int n_held = 0;
  for (int i = 0; i < 200; ++i) {
    const int rows = pace.rows(4, {1, 1000});
    n_held += rows == 0;
    pace.note({1, rows}, 0.010 + rows * 0.001);
  }
  EXPECT_LT(n_held, 40);
}

TEST(Pace, MoreStreamsHaveTimesOfTheirOwn) {
  Pace pace(2, 512);
  run(pace, {.alone = 0.010, .fixed = 0, .row = 0.001});
  EXPECT_NEAR(run(pace, {.alone = 0.080, .fixed = 0, .row = 0.001, .n_streams = 32}).mean, 0.162,
              0.004);
  EXPECT_NEAR(run(pace, {.alone = 0.010, .fixed = 0, .row = 0.001}).mean, 0.022, 0.001);
}

TEST(Pace, KnowsWhatDraftsCost) {
  Pace pace(2, 128);
  run(pace, {.alone = 0.010, .fixed = 0, .row = 0.001});
  for (int i = 0; i < 40; ++i) pace.note({.n_streams = 1, .n_drafts = 4}, 0.010 + 4 * 0.002);
  EXPECT_NEAR(pace.draft_cost(1), 0.2, 0.01);
  // A different load.
  EXPECT_NEAR(run(pace, {.alone = 0.010, .fixed = 0, .row = 0.001}).rows, 12, 1);
}

TEST(Pace, DraftsTellOfRowsWhereNoPromptHasCome) {
  Pace pace(2, 128);
  pace.note({1}, 0.010);
  pace.note({.n_streams = 1, .n_drafts = 5}, 0.010 + 5 * 0.0002);
  EXPECT_NEAR(pace.rows(1, {}), 50, 1);
}

TEST(Pace, ADraftDelaysAllStreams) {
  Pace pace(2, 128);
  run(pace, {.alone = 0.010, .fixed = 0, .row = 0.001, .n_streams = 8});
  for (int i = 0; i < 40; ++i) pace.note({.n_streams = 8, .n_drafts = 4}, 0.010 + 4 * 0.0001);
  EXPECT_NEAR(pace.draft_cost(8), 8 * 0.01, 0.001);
  pace.note_drafts(16, 16 * 0.0005);
  EXPECT_NEAR(pace.draft_model_cost(8), 8 * 0.05, 0.001);
}

TEST(Pace, ADraftModelReadsInHalfTheTimeOfPrompts) {
  Pace pace(2, 128);
  run(pace, {.alone = 0.010, .fixed = 0, .row = 0.001});
  EXPECT_EQ(pace.reading_rows(1), 8);
  pace.note_reading(10, 10 * 0.0002);
  EXPECT_NEAR(pace.reading_rows(1), 25, 1);
  EXPECT_NEAR(pace.rows(1, {}, 0.005), 5, 1);  // what is left of the time
  EXPECT_EQ(pace.rows(1, {}, 1), 1);
}

TEST(Pace, LooksNowAndThenHowLongAStepTakesWithoutDrafts) {
  Pace pace(2, 128);
  EXPECT_TRUE(pace.wants_plain_step(1));
  pace.note({1}, 0.010);
  int n_plain = 0;
  for (int i = 0; i < 650; ++i) {
    const bool plain = pace.wants_plain_step(1);
    n_plain += plain;
    pace.note({.n_streams = 1, .n_drafts = plain ? 0 : 3}, 0.012);
  }
  EXPECT_EQ(n_plain, 10);
}

TEST(Pace, OneSlowStepIsNoNews) {
  Pace pace(2, 128);
  run(pace, {.alone = 0.010, .fixed = 0, .row = 0.001});
  pace.note({1, 10}, 0.050);
  EXPECT_GT(run(pace, {.alone = 0.010, .fixed = 0, .row = 0.001}, 20).rows, 8);
}

}  // namespace
}  // namespace quern
