#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace quern {
namespace {

constexpr Limits kLimits{
    .rows_per_step = 16, .prompt_rows_beside_streams = 6, .sequences = 4, .page_tokens = 4};

// Views with pages of their own, 1000 * id and on.
SequenceView view_of(SequenceId id, int n_cached, int page_tokens = kLimits.page_tokens) {
  static std::map<SequenceId, std::vector<int32_t>> held;  // 64 of each, which stay where they are
  std::vector<int32_t>& own = held[id];
  for (int i = static_cast<int>(own.size()); i < 64; ++i)
    own.push_back(static_cast<int32_t>(1000 * id + i));
  const int n_pages = (n_cached + page_tokens - 1) / page_tokens;
  return {.id = id,
          .priority = 0,
          .arrival = id,
          .admission = n_cached > 0 ? id : -1,
          .n_cached = n_cached,
          .pages = std::span(own).first(n_pages)};
}
SequenceView prompt(SequenceId id, int n_pending, int n_cached = 0, int priority = 0) {
  SequenceView view = view_of(id, n_cached);
  view.n_pending = n_pending;
  view.priority = priority;
  return view;
}
SequenceView stream(SequenceId id, int n_cached, int priority = 0) {
  SequenceView view = prompt(id, 1, n_cached, priority);
  view.generating = true;
  return view;
}

using Rows = std::vector<std::pair<SequenceId, int>>;
Rows rows(const Plan& plan) {
  Rows all;
  for (const auto& share : plan.rows) all.emplace_back(share.id, share.n_rows);
  return all;
}

TEST(Scheduler, NothingToDoIsAnEmptyPlan) {
  const Plan plan = next({}, 8, kLimits);
  EXPECT_TRUE(plan.rows.empty());
  EXPECT_TRUE(plan.preempted.empty());
}

TEST(Scheduler, APromptIsCutToTheRowsOfAStep) {
  EXPECT_EQ(rows(next(std::vector{prompt(1, 40)}, 16, kLimits)), (Rows{{1, 16}}));
}

TEST(Scheduler, StreamsComeFirstAndBoundThePromptsBesideThem) {
  const std::vector views{prompt(1, 40), stream(2, 5), stream(3, 9)};
  EXPECT_EQ(rows(next(views, 16, kLimits)), (Rows{{2, 1}, {3, 1}, {1, 6}}));
}

TEST(Scheduler, PromptsShareAStepInOrderOfRank) {
  const std::vector views{prompt(1, 5), prompt(2, 30), prompt(3, 2, 0, 7)};
  EXPECT_EQ(rows(next(views, 16, kLimits)), (Rows{{3, 2}, {1, 5}, {2, 9}}));
}

TEST(Scheduler, OnlySoManyTakePart) {
  const std::vector views{stream(1, 1), stream(2, 1), stream(3, 1), stream(4, 1), stream(5, 1)};
  EXPECT_EQ(rows(next(views, 16, kLimits)), (Rows{{1, 1}, {2, 1}, {3, 1}, {4, 1}}));
}

TEST(Scheduler, AFullCachePreemptsTheLowestFirst) {
  // 1 needs a second page, 3 came last; 4 waits and holds nothing.
  const std::vector views{stream(1, 4), stream(2, 5), stream(3, 6), prompt(4, 3)};
  const Plan plan = next(views, 0, kLimits);
  EXPECT_EQ(plan.preempted, (std::vector<SequenceId>{3}));
  EXPECT_EQ(rows(plan), (Rows{{1, 1}, {2, 1}}));
}

TEST(Scheduler, TheLowerOneWaitsAndIsNotServedByTheHigher) {
  const std::vector views{stream(1, 5), stream(2, 8)};  // 2 needs a page, there is none
  const Plan plan = next(views, 0, kLimits);
  EXPECT_TRUE(plan.preempted.empty());
  EXPECT_EQ(rows(plan), (Rows{{1, 1}}));
}

TEST(Scheduler, AHigherPriorityPromptTakesTheRowsBackFromAStreamItPreempts) {
  const std::vector views{stream(1, 4), prompt(2, 12, 0, 1)};
  const Plan plan = next(views, 2, kLimits);
  EXPECT_EQ(plan.preempted, (std::vector<SequenceId>{1}));
  EXPECT_EQ(rows(plan), (Rows{{2, 6}}));
}

TEST(Scheduler, NoneOvertakesAPromptThatWaitsForPages) {
  const std::vector views{stream(1, 1), prompt(2, 12), prompt(3, 1)};
  EXPECT_EQ(rows(next(views, 3, kLimits)), (Rows{{1, 1}}));  // 3 pages, and one for 1 to grow
  EXPECT_EQ(rows(next(views, 4, kLimits)), (Rows{{1, 1}, {2, 6}}));
}

TEST(Scheduler, WhoWaitsComesBehindWhoRunsAndBeforeThemByPriority) {
  SequenceView early = prompt(1, 3), high = prompt(9, 3, 0, 1);
  const SequenceView running = prompt(5, 3, 2);
  EXPECT_EQ(rows(next(std::vector{early, running}, 16, {16, 6, 1, 4})), (Rows{{5, 3}}));
  EXPECT_EQ(rows(next(std::vector{running, high}, 16, {16, 6, 1, 4})), (Rows{{9, 3}}));
}

TEST(Scheduler, TheClientThatHadLessComesFirst) {
  SequenceView much = prompt(1, 20), little = prompt(2, 4);
  much.served = 100, little.served = 7;
  EXPECT_EQ(rows(next(std::vector{much, little}, 16, kLimits)), (Rows{{2, 4}, {1, 12}}));
  SequenceView running = prompt(3, 40, 8);  // admitted, but its client has had more
  running.served = 50;
  EXPECT_EQ(rows(next(std::vector{running, little}, 16, kLimits)), (Rows{{2, 4}, {3, 12}}));
}

TEST(Scheduler, TheFirstByRankGetsARowWhoseTurnItMayBe) {
  SequenceView first = prompt(1, 9, 4), other = prompt(2, 90);
  first.served = 100;
  EXPECT_EQ(rows(next(std::vector{first, other}, 99, kLimits)), (Rows{{2, 15}, {1, 1}}));
}

TEST(Scheduler, DraftsTakeRowsThatAreLeft) {
  SequenceView a = stream(1, 5), b = stream(2, 5);
  a.n_extra = 3, b.n_extra = 9;
  EXPECT_EQ(rows(next(std::vector{a, b}, 16, kLimits)),
            (Rows{{1, 4}, {2, 4}}));  // 6 beside streams
  EXPECT_EQ(rows(next(std::vector{a, b, prompt(3, 9)}, 16, kLimits)),
            (Rows{{1, 4}, {2, 1}, {3, 3}}));                                     // half of them
  EXPECT_EQ(rows(next(std::vector{a, b}, 0, kLimits)), (Rows{{1, 1}, {2, 1}}));  // no page for more
}

TEST(Scheduler, APausedOneTakesNoRowsAndGivesItsPagesToAll) {
  SequenceView paused = stream(1, 8), other = prompt(2, 8);
  paused.paused = true;
  EXPECT_EQ(rows(next(std::vector{paused, other}, 9, kLimits)), (Rows{{2, 8}}));
  const Plan plan = next(std::vector{paused, other}, 1, kLimits);
  EXPECT_EQ(plan.preempted, (std::vector<SequenceId>{1}));
  EXPECT_EQ(rows(plan), (Rows{{2, 8}}));
}

TEST(Scheduler, ASharedPageIsFreeOnlyWhenAllWhoHoldItAreOut) {
  const std::vector<int32_t> of_1 = {1, 2}, of_2 = {1, 3}, of_3 = {1, 4};
  SequenceView first = stream(1, 8), second = stream(2, 8), third = stream(3, 7);
  first.pages = of_1, second.pages = of_2, third.pages = of_3;
  const Plan plan = next(std::vector{first, second, third}, 0, kLimits);
  EXPECT_EQ(plan.preempted, (std::vector<SequenceId>{3}));  // gives one page, not two
  EXPECT_EQ(rows(plan), (Rows{{1, 1}}));
}

}  // namespace
}  // namespace quern
