#include "engine/pace.h"

#include <gtest/gtest.h>

namespace quern {
namespace {

// A machine on which a step costs `alone` and `row` for each prompt row.
int settled(Pace& pace, double alone, double row, int n_streams = 1) {
  for (int i = 0; i < 40; ++i) {
    pace.note({n_streams}, alone);
    const int rows = pace.prompt_rows(n_streams);
    pace.note({n_streams, rows}, alone + row * rows);
  }
  return pace.prompt_rows(n_streams);
}

TEST(Pace, FindsTheRowsThatDoubleAStep) {
  Pace pace(2, 128);
  EXPECT_EQ(pace.prompt_rows(1), 8);
  EXPECT_NEAR(settled(pace, 0.040, 0.0035), 11, 1);
  EXPECT_NEAR(settled(pace, 0.040, 0.0010), 40, 1);  // the machine has become quieter
}

TEST(Pace, StaysWithinItsBounds) {
  Pace pace(2, 128);
  EXPECT_EQ(settled(pace, 0.040, 1e-6), 128);
  EXPECT_EQ(settled(pace, 0.040, 10), 1);
  Pace small(2, 4);
  EXPECT_EQ(small.prompt_rows(1), 4);
}

TEST(Pace, MoreStreamsHaveTimesOfTheirOwn) {
  Pace pace(2, 128);
  settled(pace, 0.010, 0.001, 1);
  EXPECT_NEAR(pace.prompt_rows(32), 10, 1);  // not known: as with one
  EXPECT_NEAR(settled(pace, 0.080, 0.001, 32), 80, 1);
  EXPECT_NEAR(pace.prompt_rows(1), 10, 1);
}

TEST(Pace, KnowsWhatDraftsCost) {
  Pace pace(2, 128);
  settled(pace, 0.010, 0.001);
  for (int i = 0; i < 40; ++i) pace.note({.n_streams = 1, .n_drafts = 4}, 0.010 + 4 * 0.002);
  EXPECT_NEAR(pace.draft_cost(1), 0.2, 0.01);
  EXPECT_NEAR(pace.prompt_rows(1), 10, 1);  // another thing
}

TEST(Pace, DraftsTellOfRowsWhereNoPromptHasCome) {
  Pace pace(2, 128);
  pace.note({1}, 0.010);
  pace.note({.n_streams = 1, .n_drafts = 5}, 0.010 + 5 * 0.0002);
  EXPECT_NEAR(pace.prompt_rows(1), 50, 1);
}

TEST(Pace, AGuessHoldsUpAllStreams) {
  Pace pace(2, 128);
  settled(pace, 0.010, 0.001, 8);
  for (int i = 0; i < 40; ++i) pace.note({.n_streams = 8, .n_drafts = 4}, 0.010 + 4 * 0.0001);
  EXPECT_NEAR(pace.draft_cost(8), 8 * 0.01, 0.001);
  pace.note_guesses(16, 16 * 0.0005);
  EXPECT_NEAR(pace.guess_cost(8), 8 * 0.05, 0.001);
}

TEST(Pace, ADraftModelReadsInHalfTheTimeOfPrompts) {
  Pace pace(2, 128);
  settled(pace, 0.010, 0.001);
  EXPECT_EQ(pace.reading_rows(1), 8);
  pace.note_reading(10, 10 * 0.0002);
  EXPECT_NEAR(pace.reading_rows(1), 25, 1);
  EXPECT_NEAR(pace.prompt_rows(1, 0.005), 5, 1);  // what is left of the time
  EXPECT_EQ(pace.prompt_rows(1, 1), 1);
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
  settled(pace, 0.010, 0.001);
  pace.note({1, 10}, 0.050);
  EXPECT_GE(pace.prompt_rows(1), 4);
}

}  // namespace
}  // namespace quern
