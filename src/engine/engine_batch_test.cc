// Random batches in caches of every size, with every option of a request.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "engine/fake_engine.h"

namespace quern {
namespace {

struct Running {
  Request request;  // for one answer
  Done done;
};

struct Sums {
  int64_t n_cancelled = 0, n_reused = 0, n_preempted = 0, n_true_drafts = 0, n_paused = 0;
  int64_t n_model_drafts = 0, n_true_model_drafts = 0, n_draft_failures = 0;
  size_t most_chunks = 0;
};

class RandomBatch {
 public:
  RandomBatch(int round, bool deterministic)
      : random_(round),
        shape_{.n_vocab = 61,
               .max_rows = 1 + below(24),
               .page_tokens = 1 + below(6),
               .roles_count = deterministic,
               .context = below(2) ? 2 : 1 << 30} {
    shape_.n_pages = (40 + below(60) + shape_.page_tokens) / shape_.page_tokens;
    options_ = options();
    options_.context = 40;
    options_.prompt_rows_beside_streams = 1 + below(8);
    options_.deterministic = deterministic;
    if (below(4) == 0) options_.most_idle_pages = below(10);
    options_.always_guess = below(3) > 0;
    if (below(2)) use_draft();
    executor_ = std::make_unique<FakeExecutor>(shape_);
    engine_ = std::make_unique<Engine>(*executor_, options_);
  }

  void run(Sums& sums) {
    for (int arriving = 14; arriving > 0 || !running_.empty();) {
      while (arriving > 0 && below(3) == 0) --arriving, submit();
      for (auto& [id, r] : running_) engine_->pause(id, below(10) == 0 && ++sums.n_paused);
      if (draft_ && below(60) == 0)
        draft_->fail_next = Error{Code::unavailable, "no device", "", ""};
      engine_->step();
      read(sums);
      if (testing::Test::HasFatalFailure()) return;
    }
    EXPECT_EQ(engine_->n_free_pages(), executor_->groups()[0].n_pages);
    if (draft_) {
      EXPECT_EQ(engine_->draft()->n_free_pages(), draft_->groups()[0].n_pages);
      sums.n_draft_failures += engine_->draft()->n_failed();
    }
    sums.n_model_drafts += engine_->counts().n_model_drafts;
    sums.n_true_model_drafts += engine_->counts().n_true_model_drafts;
    sums.n_preempted += engine_->counts().n_preempted;
    sums.n_true_drafts += engine_->counts().n_true_drafts;
    sums.most_chunks = std::max(sums.most_chunks, executor_->most_chunks);
  }

 private:
  int below(int n) { return static_cast<int>(random_() % n); }

  // As good as the model where roles do not count, or useless; with a cache of its own size.
  void use_draft() {
    FakeExecutor::Shape shape = shape_;
    shape.roles_count = false;
    shape.max_rows = 1 + below(24);
    shape.page_tokens = 1 + below(6);
    shape.n_pages = (20 + below(100) + shape.page_tokens) / shape.page_tokens;
    if (below(4) == 0) shape.n_vocab = 40 + below(30);
    draft_ = std::make_unique<FakeExecutor>(shape);
    options_.draft = draft_.get();
    options_.draft_context = below(4) == 0 ? 30 : 0;
    options_.most_drafts = 1 + below(8);
  }

  Request random_request() {
    std::vector<int32_t> prompt(1 + below(30), below(3));  // alike, so that prefixes are shared
    if (below(2)) prompt.back() = below(60);
    Request r = request(prompt, 1 + below(10), static_cast<float>(below(3)) / 2);
    GenerateOptions& o = r.options;
    o.priority = below(2);
    o.client = std::string(1, static_cast<char>('a' + below(3)));
    o.cache_salt = below(4) == 0 ? "other" : "";
    o.n = below(4) == 0 ? 1 + below(4) : 1;
    o.speculate = below(3) > 0;
    o.sampling.seed = random_();
    o.sampling.repeat_penalty = below(2) ? 1.3f : 1;
    if (below(3) == 0) o.stop = {std::string(1, static_cast<char>('A' + below(26)))};
    if (below(3) == 0) r.constraint = [] { return std::make_unique<FakeConstraint>(); };
    return r;
  }

  void submit() {
    Request r = random_request();
    const RequestId first = *engine_->submit(r);
    const int n = std::exchange(r.options.n, 1);
    for (int i = 0; i < n; ++i) {
      running_.emplace(first + i, Running{r, {}});
      ++r.options.sampling.seed;
    }
  }

  void read(Sums& sums) {
    for (auto at = running_.begin(); at != running_.end();) {
      auto& [r, done] = at->second;
      if (below(150) == 0) engine_->cancel(at->first);
      collect(*engine_, at->first, done);
      if (!engine_over(at->first)) {
        ++at;
        continue;
      }
      sums.n_reused += done.timings.cached_n;
      sums.n_cancelled += done.finish == Finish::cancelled;
      compare(r, done);
      if (testing::Test::HasFatalFailure()) return;
      at = running_.erase(at);
    }
  }

  // take() forgets what is over; its last output came with a finish.
  bool engine_over(RequestId id) const { return running_.at(id).done.over; }

  void compare(const Request& r, const Done& done) {
    FakeExecutor::Shape roomy = shape_;
    roomy.max_rows = 512, roomy.n_pages = 512;
    FakeExecutor executor(roomy);
    EngineOptions o = options_;
    o.most_idle_pages = 0;
    o.draft = nullptr;
    o.most_drafts = 0;
    Engine engine(executor, o);
    expect_same(done, quern::run(engine, r));
  }

  std::mt19937 random_;
  FakeExecutor::Shape shape_;
  EngineOptions options_;
  std::unique_ptr<FakeExecutor> executor_, draft_;
  std::unique_ptr<Engine> engine_;
  std::map<RequestId, Running> running_;
};

// Each answer has the tokens and text that it has alone, and at the end every page is free. In a
// deterministic engine that holds although rows differ by role.
TEST(EngineBatch, ChangesNoTokens) {
  for (const bool deterministic : {false, true}) {
    Sums sums;
    for (int round = 0; round < 150; ++round) {
      RandomBatch(round, deterministic).run(sums);
      if (HasFatalFailure()) FAIL() << "round " << round << ", deterministic " << deterministic;
    }
    // The rounds covered their cases.
    EXPECT_GT(sums.n_cancelled, 20);
    EXPECT_GT(sums.n_reused, 500);
    EXPECT_GT(sums.n_preempted, 50);
    EXPECT_GT(sums.n_true_drafts, 50);
    EXPECT_GT(sums.n_model_drafts, 200);
    EXPECT_GT(sums.n_true_model_drafts, deterministic ? 0 : 50);  // roles are not drafted
    EXPECT_GT(sums.n_draft_failures, 20);
    EXPECT_GT(sums.n_paused, 100);
    EXPECT_GT(sums.most_chunks, 4u);
  }
}

}  // namespace
}  // namespace quern
