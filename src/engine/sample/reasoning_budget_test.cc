#include "engine/sample/reasoning_budget.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace quern {
namespace {

using Tokens = std::vector<int32_t>;

const ReasoningMarks kMarks{.start = {1, 2}, .end = {8, 9}, .message = {5, 6}};

// The result when a model wants to write `wanted`: forced tokens are inserted, and after the
// reasoning was cut the model continues with the rest.
Tokens written(ReasoningBudget& budget, const Tokens& wanted) {
  Tokens text;
  for (size_t i = 0; i < wanted.size() || budget.forced();) {
    const auto forced = budget.forced();
    text.push_back(forced ? *forced : wanted[i++]);
    budget.accept(text.back());
  }
  return text;
}

TEST(ReasoningBudget, LeavesAloneWhatStaysWithinIt) {
  ReasoningBudget budget(kMarks, 4, false);
  const Tokens text{7, 1, 2, 30, 31, 8, 9, 40, 41, 42, 43, 44};
  EXPECT_EQ(written(budget, text), text);
  EXPECT_FALSE(budget.reasoning());
  EXPECT_EQ(budget.left(), 4 - 2 - 1);  // the first token of the end counted until the second came
}

TEST(ReasoningBudget, ForcesMessageAndEndWhenItIsSpent) {
  ReasoningBudget budget(kMarks, 2, false);
  EXPECT_EQ(written(budget, {1, 2, 30, 31, 40, 41}), (Tokens{1, 2, 30, 31, 5, 6, 8, 9, 40, 41}));
}

TEST(ReasoningBudget, NoneEndsReasoningAtItsStart) {
  ReasoningBudget open(kMarks, 0, true);
  EXPECT_EQ(written(open, {40}), (Tokens{5, 6, 8, 9, 40}));
  ReasoningBudget later({.start = {1}, .end = {9}}, 0, false);
  EXPECT_EQ(written(later, {7, 1, 40}), (Tokens{7, 1, 9, 40}));
}

TEST(ReasoningBudget, CountsFromThePromptWhereThatOpensTheReasoning) {
  ReasoningBudget budget(kMarks, 1, true);
  EXPECT_TRUE(budget.reasoning());
  EXPECT_EQ(written(budget, {30, 40}), (Tokens{30, 5, 6, 8, 9, 40}));
}

TEST(ReasoningBudget, FinishesAnEndThatHasBegun) {
  ReasoningBudget budget(kMarks, 2, true);
  EXPECT_EQ(written(budget, {30, 8}), (Tokens{30, 8, 9}));
  EXPECT_FALSE(budget.reasoning());
}

TEST(ReasoningBudget, ASecondReasoningGetsWhatIsLeft) {
  ReasoningBudget budget({.start = {1}, .end = {9}}, 3, false);
  EXPECT_EQ(written(budget, {1, 30, 31, 9, 40, 1, 32, 33, 34}),
            (Tokens{1, 30, 31, 9, 40, 1, 32, 9, 33, 34}));
  EXPECT_EQ(budget.left(), 0);
}

TEST(ReasoningBudget, WaitsForTheEndOfACharacterButNotForEver) {
  ReasoningBudget budget({.start = {1}, .end = {9}}, 1, true);
  budget.accept(30, false);
  EXPECT_FALSE(budget.forced());
  budget.accept(31, true);
  EXPECT_EQ(budget.forced(), 9);
  ReasoningBudget broken({.start = {1}, .end = {9}}, 1, true);
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(broken.forced()) << i;
    broken.accept(30, false);
  }
  EXPECT_EQ(broken.forced(), 9);
}

// Marks that repeat themselves are found wherever they begin, as by a plain search.
TEST(ReasoningBudget, FindsMarksThatOverlapThemselves) {
  std::mt19937 random(1);
  const Tokens mark{1, 1, 2, 1, 1, 3};
  for (int trial = 0; trial < 2000; ++trial) {
    ReasoningBudget budget({.start = mark, .end = {9}}, 1000, false);
    Tokens text;
    for (int i = 0; i < 40 && !budget.reasoning(); ++i) {
      text.push_back(1 + static_cast<int32_t>(random() % 3));
      budget.accept(text.back());
      const bool ends = text.size() >= mark.size() &&
                        std::equal(mark.begin(), mark.end(), text.end() - std::ssize(mark));
      ASSERT_EQ(budget.reasoning(), ends);
    }
  }
}

TEST(ReasoningBudget, CopiesAreIndependent) {
  ReasoningBudget budget({.start = {1}, .end = {9}}, 2, true);
  ReasoningBudget draft = budget;
  draft.accept(30);
  draft.accept(31);
  EXPECT_EQ(draft.forced(), 9);
  EXPECT_FALSE(budget.forced());
  EXPECT_EQ(budget.left(), 2);
}

}  // namespace
}  // namespace quern
