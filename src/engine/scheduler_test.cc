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

int pages(int n_tokens, const Limits& limits = kLimits) {
  return (n_tokens + limits.page_tokens - 1) / limits.page_tokens;
}

SequenceView prompt(SequenceId id, int n_pending, int n_cached = 0, int priority = 0) {
  return {id, priority, id, n_pending, n_cached, false};
}
SequenceView stream(SequenceId id, int n_cached, int priority = 0) {
  return {id, priority, id, 1, n_cached, true};
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

// What every plan promises, whatever the state.
void expect_sound(const std::vector<SequenceView>& views, int n_free, const Limits& limits,
                  const Plan& plan) {
  std::map<SequenceId, SequenceView> by_id;
  for (const auto& v : views) by_id.emplace(v.id, v);
  const auto rank = [&](SequenceId id) {
    return std::make_pair(-by_id.at(id).priority, by_id.at(id).arrival);
  };
  int freed = 0, needed = 0, n_rows = 0, n_prompt_rows = 0, n_streams = 0;
  std::set<SequenceId> seen;
  for (const SequenceId id : plan.preempted) {
    ASSERT_TRUE(seen.insert(id).second);
    freed += pages(by_id.at(id).n_cached, limits);
  }
  for (size_t i = 1; i < plan.preempted.size(); ++i)
    EXPECT_GT(rank(plan.preempted[i - 1]), rank(plan.preempted[i]));
  for (const auto& share : plan.rows) {
    ASSERT_TRUE(seen.insert(share.id).second) << "preempted or named twice";
    const SequenceView& v = by_id.at(share.id);
    EXPECT_GE(share.n_rows, 1);
    EXPECT_LE(share.n_rows, v.n_pending);
    n_rows += share.n_rows;
    v.generating ? ++n_streams : n_prompt_rows += share.n_rows;
    needed += pages(v.n_cached + share.n_rows, limits) - pages(v.n_cached, limits);
  }
  EXPECT_LE(needed, n_free + freed);
  EXPECT_LE(n_rows, limits.rows_per_step);
  EXPECT_LE(plan.rows.size(), static_cast<size_t>(limits.sequences));
  if (n_streams > 0) {
    EXPECT_LE(n_prompt_rows, limits.prompt_rows_beside_streams);
  }
  if (views.empty()) return;
  const auto first = std::min_element(views.begin(), views.end(),
                                      [&](auto& a, auto& b) { return rank(a.id) < rank(b.id); });
  const bool first_served = std::any_of(plan.rows.begin(), plan.rows.end(),
                                        [&](auto& share) { return share.id == first->id; });
  EXPECT_TRUE(first_served);
}

struct Job {
  SequenceView view;
  int n_left;  // tokens still to generate
};

// Runs jobs to their end by the scheduler's plans, with exact accounts of pages.
struct Simulation {
  Limits limits;
  int n_pages, n_free;
  std::vector<Job> jobs;
  int n_preempted = 0;

  void step() {
    std::vector<SequenceView> views;
    for (const Job& job : jobs) views.push_back(job.view);
    const Plan plan = next(views, n_free, limits);
    expect_sound(views, n_free, limits, plan);
    for (Job& job : jobs) {
      SequenceView& v = job.view;
      if (std::count(plan.preempted.begin(), plan.preempted.end(), v.id)) {
        n_free += pages(v.n_cached, limits);
        v.n_pending += v.n_cached;
        v.n_cached = 0;
        v.generating = false;
        ++n_preempted;
      }
      for (const auto& share : plan.rows) {
        if (share.id != v.id) continue;
        n_free -= pages(v.n_cached + share.n_rows, limits) - pages(v.n_cached, limits);
        v.n_cached += share.n_rows;
        v.n_pending -= share.n_rows;
        if (v.n_pending > 0) continue;
        v.n_pending = 1;
        v.generating = true;
        --job.n_left;
      }
    }
    EXPECT_GE(n_free, 0);
    std::erase_if(jobs, [&](const Job& job) {
      if (job.n_left > 0) return false;
      n_free += pages(job.view.n_cached, limits);
      return true;
    });
  }
};

TEST(SchedulerProperty, EverythingFinishesAndNoPageIsPromisedTwice) {
  std::mt19937 random(7);
  const auto up_to = [&](int most) { return std::uniform_int_distribution<>(1, most)(random); };
  int n_preempted = 0;
  for (int round = 0; round < 300; ++round) {
    const int n_rows = up_to(20);
    Simulation sim{{n_rows, up_to(10), up_to(std::min(8, n_rows)), up_to(5)}, up_to(30), 0, {}};
    sim.n_free = sim.n_pages;
    const int capacity = sim.n_pages * sim.limits.page_tokens;
    int64_t work = 0;
    SequenceId id = 0;
    int arriving = up_to(25);
    int64_t n_steps = 0;
    while (arriving > 0 || !sim.jobs.empty()) {
      while (arriving > 0 && up_to(3) == 1) {
        const int n_prompt = up_to(capacity), n_new = up_to(capacity - n_prompt + 1);
        sim.jobs.push_back({prompt(id++, n_prompt, 0, up_to(3)), n_new});
        work += n_prompt + n_new;
        --arriving;
      }
      sim.step();
      ASSERT_LT(++n_steps, 2000 + work * 40) << "round " << round << ": starved";
      if (testing::Test::HasFailure()) FAIL() << "round " << round;
    }
    EXPECT_EQ(sim.n_free, sim.n_pages);
    n_preempted += sim.n_preempted;
  }
  EXPECT_GT(n_preempted, 100);  // the rounds are tight enough to mean something
}

TEST(SchedulerProperty, RandomStatesGiveSoundPlans) {
  std::mt19937 random(11);
  const auto below = [&](int n) { return static_cast<int>(random() % n); };
  for (int round = 0; round < 20000; ++round) {
    const int n_rows = 1 + below(20);
    const Limits limits{n_rows, 1 + below(10), 1 + below(std::min(8, n_rows)), 1 + below(6)};
    std::vector<SequenceView> views;
    int n_held = 0, largest = 0;
    for (int n = below(12); n > 0; --n) {
      SequenceView v = prompt(n, 1 + below(20), below(2) * below(20), below(3));
      if (v.n_cached > 0 && below(2)) v.generating = true, v.n_pending = 1;
      n_held += pages(v.n_cached, limits);
      largest = std::max(largest, pages(v.n_cached + v.n_pending, limits));
      views.push_back(v);
    }
    std::shuffle(views.begin(), views.end(), random);
    const int n_free = std::max(0, largest - n_held) + below(3) * below(10);
    expect_sound(views, n_free, limits, next(views, n_free, limits));
    if (testing::Test::HasFailure()) FAIL() << "round " << round;
  }
}

}  // namespace
}  // namespace quern
