// Every mix of page groups and states: each answer is what the same request gives alone, whatever
// was shared, evicted, preempted, forked, drafted, saved or loaded beside it, and all pages come
// back.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "engine/fake_engine.h"
#include "engine/kv/page_file.h"
#include "engine/kv/prefix_store.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

using Group = FakeExecutor::Group;

struct Mix {
  const char* name;
  std::vector<Group> groups;
  bool states = false;
};

void PrintTo(const Mix& mix, std::ostream* out) { *out << mix.name; }

const Mix kMixes[] = {
    {"full", {{"full"}}},
    {"window", {{"window 5", 5}}},
    {"full_window", {{"full"}, {"window 7", 7}}},
    {"two_windows", {{"window 3", 3}, {"full", 0, 0, 2}, {"window 11", 11}}},
    {"full_latent", {{"full", 0, 0, 2}, {"latent", 0, 0, 3}}},
    {"window_blocks", {{"window 9", 9, 0, 2}, {"blocks", 0, 0, 1, true}}},
    {"state", {}, true},
    {"full_state", {{"full"}}, true},
    {"full_window_state", {{"full"}, {"window 6", 6, 0, 2}}, true},
};

struct Sums {
  int64_t n_cancelled = 0, n_reused = 0, n_preempted = 0, n_true_drafts = 0, n_false_drafts = 0;
  int64_t n_restored = 0, n_model_drafts = 0, n_embeddings = 0;
};

constexpr int kContext = 40;

class MixRound {
 public:
  MixRound(const Mix& mix, int round, const std::string& folder)
      : random_(round), folder_(folder), shape_(shape(mix)), options_(options()) {
    options_.context = kContext;
    options_.prompt_rows_beside_streams = 1 + below(8);
    options_.deterministic = below(2);
    shape_.roles_count = options_.deterministic;
    options_.always_guess = below(3) > 0;
    if (below(4) == 0) options_.most_idle_pages = below(10);
    options_.checkpoint_bytes = below(4) ? 1 << 20 : 16 * below(8);
    options_.checkpoint_tokens = 1 + below(20);
    if (!mix.states && below(2)) draft_ = std::make_unique<FakeExecutor>(shape_);
    options_.draft = draft_.get();
    executor_ = std::make_unique<FakeExecutor>(shape_);
    if (below(2)) open_store();
    engine_ = std::make_unique<Engine>(*executor_, options_);
  }

  void run(Sums& sums) {
    for (int arriving = 12; arriving > 0 || !running_.empty();) {
      while (arriving > 0 && below(3) == 0) --arriving, submit();
      for (auto& [id, r] : running_) engine_->pause(id, below(10) == 0);
      engine_->step();
      read(sums);
      meddle(sums);
      if (testing::Test::HasFatalFailure()) return;
    }
    for (int group = 0; group < std::ssize(shape_.groups); ++group)
      EXPECT_EQ(engine_->n_free_pages(group), executor_->groups()[group].n_pages);
    EXPECT_EQ(engine_->n_free_states(), shape_.n_states);
    EXPECT_LE(engine_->prefixes().checkpoint_bytes(), options_.checkpoint_bytes);
    engine_->prefixes().clear();
    EXPECT_EQ(engine_->n_embedding_rows(), 0);
    sums.n_embeddings += n_embeddings_;
    sums.n_preempted += engine_->counts().n_preempted;
    sums.n_true_drafts += engine_->counts().n_true_drafts;
    sums.n_false_drafts += engine_->counts().n_drafts - engine_->counts().n_true_drafts;
    sums.n_model_drafts += engine_->counts().n_model_drafts;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % n); }

  // Small enough that answers are preempted; a window's group has what one sequence needs, or more.
  FakeExecutor::Shape shape(const Mix& mix) {
    FakeExecutor::Shape s{.max_rows = 1 + below(24), .page_tokens = 1 + below(6)};
    s.groups = mix.groups;
    s.n_pages = (kContext + below(60) + s.page_tokens) / s.page_tokens;
    for (Group& group : s.groups)
      if (group.window > 0)
        group.n_pages = window_pages(group.window, s.max_rows, s.page_tokens) + below(12);
    s.n_states = mix.states ? 1 + below(6) : 0;
    return s;
  }

  void open_store() {
    PrefixStoreOptions o;
    o.folder = folder_;
    o.identity = page_identity("model", *executor_);
    o.note = [](const std::string& text) { ADD_FAILURE() << text; };
    options_.store = std::make_shared<PrefixStore>(std::move(o));
  }

  void submit() {
    // One of three texts, so that prefixes are shared, and perhaps another end.
    std::vector<int32_t> prompt(1 + below(30));
    for (int i = 0, text = 2 + below(3); i < std::ssize(prompt); ++i)
      prompt[i] = (text * i + i * i / 3) % 7;
    if (below(2)) prompt.back() = below(60);
    Request r = request(prompt, 1 + below(10), static_cast<float>(below(3)) / 2);
    if (below(4) == 0) give_embeddings(r);
    GenerateOptions& o = r.options;
    o.priority = below(2);
    o.client = std::string(1, static_cast<char>('a' + below(3)));
    o.cache_salt = below(4) == 0 ? "other" : "";
    o.n = below(4) == 0 ? 1 + below(4) : 1;
    o.speculate = below(3) > 0;
    o.sampling.seed = random_();
    o.sampling.repeat_penalty = below(2) ? 1.3f : 1;
    // Answers that begin like earlier ones and go on otherwise: drafts turn out wrong.
    const bool constrained = below(3) == 0;
    if (!constrained && below(2))
      for (int32_t id = below(6); id < 60; id += 6) o.sampling.banned.push_back(id);
    if (constrained) r.constraint = [] { return std::make_unique<FakeConstraint>(); };
    const RequestId first = *engine_->submit(r);
    const int n = std::exchange(r.options.n, 1);
    for (int i = 0; i < n; ++i) {
      running_.emplace(first + i, std::pair(r, Done{}));
      ++r.options.sampling.seed;
    }
  }

  // Some tokens become rows of embeddings, one of three.
  void give_embeddings(Request& r) {
    const size_t n = 1 + r.prompt.size() / 3, width = shape_.width;
    r.embeddings.resize(n * width);
    for (size_t i = 0; i < r.embeddings.size(); ++i)
      r.embeddings[i] = static_cast<float>(below(20) ? i / width % 3 : below(3));
    for (size_t i = 0; i + 1 < r.prompt.size(); i += 1 + below(4))
      r.prompt[i] = embedding_token(below(static_cast<int>(n)));
    n_embeddings_ += r.prompt.size() > 1;
  }

  void read(Sums& sums) {
    for (auto at = running_.begin(); at != running_.end();) {
      auto& [r, done] = at->second;
      if (below(150) == 0) engine_->cancel(at->first);
      collect(*engine_, at->first, done);
      if (testing::Test::HasFatalFailure()) return;
      if (!done.over) {
        ++at;
        continue;
      }
      sums.n_reused += done.timings.cached_n;
      sums.n_cancelled += done.finish == Finish::cancelled;
      compare(r, done);
      if (testing::Test::HasFatalFailure()) return;
      if (r.embeddings.empty()) {
        seen_ = r.prompt;
        seen_salt_ = r.options.cache_salt;
      }
      at = running_.erase(at);
    }
  }

  // What callers do between steps.
  void meddle(Sums& sums) {
    const int what = below(60);
    if (what == 0) engine_->prefixes().clear();
    if (what == 1 && !shape_.groups.empty())
      engine_->prefixes().evict_one(below(static_cast<int>(shape_.groups.size())));
    if (what == 2) engine_->store_pages(below(2) == 0);
    if (what == 3 && !seen_.empty()) {
      const std::string path = folder_ + "/session";
      const auto saved = engine_->save(path, seen_, seen_salt_);
      ASSERT_TRUE(saved) << to_string(saved.error());
      if (below(2)) engine_->prefixes().clear();
      const auto restored = engine_->restore(path);
      if (!restored) {
        ASSERT_EQ(restored.error().code, Code::out_of_memory) << to_string(restored.error());
        return;
      }
      ASSERT_EQ(std::ssize(*restored), *saved);
      ASSERT_TRUE(std::equal(restored->begin(), restored->end(), seen_.begin()));
      sums.n_restored += *saved;
    }
    if (what == 4) {
      const std::vector<int32_t> tokens(1 + below(kContext), below(3));
      FakeExecutor executor(roomy());
      Engine lone(executor, plain());
      std::vector<float> expected, scored;
      const auto into = [](std::vector<float>& all) {
        return [&all](int64_t, std::span<const float> row) {
          all.insert(all.end(), row.begin(), row.end());
          return true;
        };
      };
      ASSERT_TRUE(lone.score(tokens, 0, into(expected)));
      ASSERT_TRUE(engine_->score(tokens, below(2) * 3, into(scored)));
      ASSERT_EQ(scored, expected);
    }
  }

  FakeExecutor::Shape roomy() const {
    FakeExecutor::Shape s = shape_;
    s.max_rows = 512, s.n_pages = 512;
    for (Group& group : s.groups) group.n_pages = 0;
    return s;
  }
  EngineOptions plain() const {
    EngineOptions o = options_;
    o.most_idle_pages = 0;
    o.checkpoint_bytes = 0;
    o.draft = nullptr;
    o.most_drafts = 0;
    o.store = nullptr;
    return o;
  }

  void compare(const Request& r, const Done& done) {
    FakeExecutor executor(roomy());
    Engine engine(executor, plain());
    expect_same(done, quern::run(engine, r));
  }

  std::mt19937 random_;
  const std::string folder_;
  FakeExecutor::Shape shape_;
  EngineOptions options_;
  std::unique_ptr<FakeExecutor> executor_, draft_;
  std::unique_ptr<Engine> engine_;
  std::map<RequestId, std::pair<Request, Done>> running_;
  std::vector<int32_t> seen_;  // a prompt that was read
  std::string seen_salt_;
  int n_embeddings_ = 0;
};

class CacheMix : public testing::TestWithParam<Mix> {};

TEST_P(CacheMix, ChangesNoTokens) {
  TemporaryFolder folder("quern_cache_mix");
  Sums sums;
  const int n_rounds = GetParam().states ? 80 : 50;  // wrong drafts are rarer there
  for (int round = 0; round < n_rounds; ++round) {
    MixRound(GetParam(), round, folder.path().string()).run(sums);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
  // The rounds covered their cases.
  EXPECT_GT(sums.n_cancelled, 8);
  EXPECT_GT(sums.n_reused, 300);
  EXPECT_GT(sums.n_preempted, 10);
  EXPECT_GT(sums.n_true_drafts + sums.n_false_drafts, 5);  // of each kind: CacheGroups
  EXPECT_GT(sums.n_restored, 50);
  EXPECT_GT(sums.n_embeddings, 50);
  EXPECT_GT(sums.n_model_drafts, GetParam().states ? -1 : 50);  // they would not take states back
}

INSTANTIATE_TEST_SUITE_P(All, CacheMix, testing::ValuesIn(kMixes),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace quern
