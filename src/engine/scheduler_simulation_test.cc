// The scheduler in a host without a model: random workloads from beginning to end, with exact
// accounts of pages, rows and requests.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "engine/fair_shares.h"
#include "engine/scheduler.h"

namespace quern {
namespace {

struct Job {
  SequenceView view;
  std::vector<std::vector<int32_t>> pages;  // by group
  std::vector<PageLists::Pages> lists;
  int n_prompt, n_new;  // wanted
  int n_generated = 0;
  int client;
  int64_t began = -1, ended = -1;  // step
};

struct Host {
  Limits limits;
  std::vector<int> n_pages;               // by group
  int n_states = 0;                       // slots that are free
  std::vector<std::vector<int>> holders;  // of each page of each group
  std::map<SequenceId, Job> jobs;
  FairShares<int> shares;
  int64_t n_steps = 0, n_admitted = 0, n_preempted = 0, n_rows = 0;

  Host(Limits l, int pages) : Host(l, std::vector<int>{pages}) {}
  Host(Limits l, std::vector<int> pages, int states = 0)
      : limits(l), n_pages(std::move(pages)), n_states(states) {
    for (const int n : n_pages) holders.emplace_back(n);
    limits.n_groups = static_cast<int>(n_pages.size());
    limits.states = states > 0;
  }

  int n_free(int group = 0) const {
    return static_cast<int>(std::ranges::count(holders[group], 0));
  }
  FreeCache all_free() const {
    FreeCache free({}, n_states);
    for (int group = 0; group < limits.n_groups; ++group) free.pages[group] = n_free(group);
    return free;
  }
  int pages_for(int n) const { return (n + limits.page_tokens - 1) / limits.page_tokens; }

  void add(SequenceId id, int n_prompt, int n_new, int priority, int client) {
    Job job{.view = {.id = id, .priority = priority, .arrival = id, .n_pending = n_prompt},
            .n_prompt = n_prompt,
            .n_new = n_new,
            .client = client};
    job.pages.resize(n_pages.size());
    shares.enter(client);
    ASSERT_TRUE(jobs.emplace(id, std::move(job)).second);
  }

  void end(SequenceId id) {
    Job& job = jobs.at(id);
    let_go(job);
    shares.leave(job.client);
    jobs.erase(id);
  }

  void let_go(Job& job) {
    for (size_t group = 0; group < holders.size(); ++group) {
      for (const int32_t page : job.pages[group])
        if (page != kAbsentPage) --holders[group][page];
      job.pages[group].clear();
    }
    n_states += std::exchange(job.view.has_state, false);
  }

  // Pages that no row will read again.
  void give_back(Job& job) {
    for (size_t group = 0; group < holders.size(); ++group) {
      const int window = limits.windows[group];
      const int first = window == 0 ? 0 : (job.view.n_cached - window + 1) / limits.page_tokens;
      for (int i = 0; i < first; ++i)
        if (int32_t& page = job.pages[group][i]; page != kAbsentPage)
          --holders[group][std::exchange(page, kAbsentPage)];
    }
  }

  // A prompt's leading pages may be those of another request, as with a prefix that is shared.
  void share_prefix(Job& job, std::mt19937& random) {
    if (jobs.empty() || job.view.n_cached > 0) return;
    if (n_pages.size() != 1 || limits.windows[0] > 0) return;
    const Job& other = std::next(jobs.begin(), random() % jobs.size())->second;
    const int n = std::min<int>(other.view.n_cached, job.view.n_pending - 1) / limits.page_tokens;
    for (int i = 0; i < n; ++i) ++holders[0][job.pages[0].emplace_back(other.pages[0][i])];
    job.view.n_cached = n * limits.page_tokens;
    job.view.n_pending -= job.view.n_cached;
  }

  std::vector<SequenceView> views() {
    std::vector<SequenceView> all;
    for (auto& [id, job] : jobs) {
      job.lists.assign(job.pages.begin(), job.pages.end());
      job.view.pages = PageLists(job.lists);
      job.view.served = shares.served(job.client);
      all.push_back(job.view);
    }
    return all;
  }

  void step() {
    const auto all = views();
    const Plan plan = next(all, all_free(), limits);
    ++n_steps;
    for (const SequenceId id : plan.preempted) {
      Job& job = jobs.at(id);
      let_go(job);
      job.view.n_pending = job.n_prompt + job.n_generated;
      job.view.n_cached = 0;
      job.view.generating = false;
      ++n_preempted;
    }
    int rows = 0, beside = 0;
    bool streams = false;
    std::set<SequenceId> seen(plan.preempted.begin(), plan.preempted.end());
    for (const Plan::Share& share : plan.rows) {
      ASSERT_TRUE(seen.insert(share.id).second) << "twice, or preempted";
      Job& job = jobs.at(share.id);
      ASSERT_FALSE(job.view.paused);
      ASSERT_GE(share.n_rows, 1);
      ASSERT_LE(share.n_rows, job.view.n_pending);
      rows += share.n_rows;
      streams |= job.view.generating;
      beside += job.view.generating ? 0 : share.n_rows;
      take_rows(job, share.n_rows);
    }
    n_rows += rows;
    ASSERT_LE(rows, limits.rows_per_step);
    ASSERT_LE(plan.rows.size(), static_cast<size_t>(limits.sequences));
    if (streams) {
      ASSERT_LE(beside, limits.prompt_rows_beside_streams);
    }
    const bool active = std::any_of(all.begin(), all.end(), [](auto& v) { return !v.paused; });
    ASSERT_EQ(rows > 0, active) << "somebody always gets rows";
  }

  void take_rows(Job& job, int n) {
    SequenceView& v = job.view;
    for (size_t group = 0; group < holders.size(); ++group) {
      auto& all = holders[group];
      while (static_cast<int>(job.pages[group].size()) < pages_for(v.n_cached + n)) {
        const auto free = std::find(all.begin(), all.end(), 0);
        ASSERT_NE(free, all.end()) << "a page was promised that is not there";
        *free = 1;
        job.pages[group].push_back(static_cast<int32_t>(free - all.begin()));
      }
    }
    if (limits.states && !std::exchange(v.has_state, true)) {
      ASSERT_GT(n_states--, 0) << "a state was promised that is not there";
    }
    if (v.admission < 0) v.admission = n_admitted++, job.began = n_steps;
    shares.add(job.client, n);
    v.n_cached += n;
    v.n_pending -= n;
    give_back(job);
    if (v.n_pending > 0) return;
    ++job.n_generated;
    v.n_pending = 1;
    v.generating = true;
    if (job.n_generated == job.n_new) job.ended = n_steps;
  }

  std::vector<SequenceId> ended() const {
    std::vector<SequenceId> ids;
    for (const auto& [id, job] : jobs)
      if (job.ended >= 0) ids.push_back(id);
    return ids;
  }
};

// A cache: one group, or several with and without windows, or states, each as small as may be.
Host random_host(std::mt19937& random) {
  const auto up_to = [&](int most) { return std::uniform_int_distribution<>(1, most)(random); };
  const int rows = up_to(20);
  Limits limits{rows, up_to(10), up_to(std::min(8, rows)), up_to(5)};
  if (up_to(2) == 1) return Host(limits, up_to(40));
  std::vector<int> n_pages;
  for (int group = up_to(4) - 1; group > 0; --group) {
    int& window = limits.windows[n_pages.size()];
    window = up_to(2) == 1 ? up_to(12) : 0;
    const int least =
        window > 0 ? window_pages(window, limits.rows_per_step, limits.page_tokens) : 1;
    n_pages.push_back(least - 1 + up_to(40));
  }
  const bool states = n_pages.empty() || up_to(2) == 1;
  return Host(limits, n_pages, states ? up_to(6) : 0);
}

// Tokens that one sequence may have.
int capacity_of(const Host& host) {
  int most = 60;
  for (int group = 0; group < host.limits.n_groups; ++group)
    if (host.limits.windows[group] == 0)
      most = std::min(most, host.n_pages[group] * host.limits.page_tokens);
  return most;
}

// Random limits, sizes, groups, priorities, clients, shared prefixes, cancels, readers that stall.
TEST(SchedulerSimulation, EveryRequestEndsOnceAndNoPageIsPromisedTwice) {
  int64_t n_preempted = 0, n_cancelled = 0;
  for (int round = 0; round < 2000; ++round) {
    std::mt19937 random(round);
    const auto up_to = [&](int most) { return std::uniform_int_distribution<>(1, most)(random); };
    Host host = random_host(random);
    const int capacity = capacity_of(host), n_states = host.n_states;
    int arriving = up_to(30), n_ended = 0, n_all = arriving;
    int64_t work = 0;
    SequenceId id = 0;
    while (arriving > 0 || !host.jobs.empty()) {
      while (arriving > 0 && up_to(3) == 1) {
        const int n_prompt = up_to(capacity), n_new = up_to(capacity - n_prompt + 1);
        host.add(id, n_prompt, n_new, up_to(3), up_to(4));
        if (up_to(3) == 1) host.share_prefix(host.jobs.at(id), random);
        work += n_prompt + n_new;
        --arriving, ++id;
      }
      for (auto& [each, job] : host.jobs) job.view.paused = up_to(20) == 1;
      if (!host.jobs.empty() && up_to(40) == 1) {
        host.end(host.jobs.begin()->first);
        ++n_ended, ++n_cancelled;
      }
      host.step();
      if (HasFatalFailure()) FAIL() << "round " << round;
      for (const SequenceId done : host.ended()) host.end(done), ++n_ended;
      ASSERT_LT(host.n_steps, 3000 + work * 60) << "round " << round << ": starved";
    }
    EXPECT_EQ(n_ended, n_all);
    for (int group = 0; group < host.limits.n_groups; ++group)
      EXPECT_EQ(host.n_free(group), host.n_pages[group]);
    EXPECT_EQ(host.n_states, n_states);
    n_preempted += host.n_preempted;
  }
  EXPECT_GT(n_preempted, 1000);  // the rounds were short of pages often enough
  EXPECT_GT(n_cancelled, 100);
}

// One client floods, another sends a request from time to time: the second waits for about one
// prompt, not for the flood.
TEST(SchedulerSimulation, AFloodDoesNotHoldUpOthers) {
  Host host({16, 4, 4, 4}, 400);
  SequenceId id = 0;
  for (int i = 0; i < 300; ++i) host.add(id++, 40, 5, 0, 1);
  std::vector<int64_t> waits;
  for (int i = 0; i < 10; ++i) {
    for (int j = 0; j < 30; ++j) {
      host.step();
      for (const SequenceId done : host.ended()) host.end(done);
    }
    const SequenceId mine = id++;
    const int64_t since = host.n_steps;
    host.add(mine, 8, 2, 0, 2);
    while (host.jobs.at(mine).ended < 0) {
      host.step();
      for (const SequenceId done : host.ended())
        if (done != mine) host.end(done);
    }
    waits.push_back(host.n_steps - since);
    host.end(mine);
  }
  EXPECT_LT(*std::max_element(waits.begin(), waits.end()), 40);
  EXPECT_GT(host.jobs.size(), 50u);  // by arrival, all would have waited for the flood
}

// Two clients that always have work get equal shares, whatever the sizes of their requests.
TEST(SchedulerSimulation, ClientsShareByRowsNotByRequests) {
  Host host({16, 8, 8, 4}, 400);
  SequenceId id = 0;
  std::map<int, int64_t> rows;
  for (int step = 0; step < 3000; ++step) {
    int waiting[2] = {};
    for (const auto& [each, job] : host.jobs) ++waiting[job.client];
    for (int client = 0; client < 2; ++client)
      while (waiting[client]++ < 4) host.add(id++, client ? 50 : 5, client ? 10 : 1, 0, client);
    std::map<SequenceId, int> before;
    for (const auto& [each, job] : host.jobs) before[each] = job.view.n_cached;
    host.step();
    ASSERT_FALSE(HasFatalFailure());
    for (const auto& [each, job] : host.jobs) rows[job.client] += job.view.n_cached - before[each];
    for (const SequenceId done : host.ended()) host.end(done);
  }
  const double ratio = static_cast<double>(rows[0]) / static_cast<double>(rows[1]);
  EXPECT_GT(ratio, 0.8);
  EXPECT_LT(ratio, 1.25);
}

}  // namespace
}  // namespace quern
