// An engine whose draft tokens are proposed by a draft model.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/fake_engine.h"

namespace quern {
namespace {

// Drafts whenever it can, so that no time decides what is tested.
EngineOptions drafted(FakeExecutor& draft) {
  EngineOptions o = options();
  o.draft = &draft;
  o.always_guess = true;
  return o;
}

Request long_answer(std::vector<int32_t> prompt, float temperature = 0) {
  Request r = request(std::move(prompt), 100, temperature);
  r.options.ignore_eos = true;
  return r;
}

const FakeExecutor::Shape kRoomy = {.max_rows = 512, .n_pages = 256};

TEST(EngineDrafts, AModelThatIsTheSameIsAlwaysRight) {
  FakeExecutor executor(kRoomy), draft(kRoomy);
  Engine engine(executor, drafted(draft));
  const Done done = run(engine, long_answer({1, 2, 3}));
  EXPECT_EQ(done.ids, alone(long_answer({1, 2, 3})).ids);
  EXPECT_GT(done.timings.draft_n, 80);
  EXPECT_EQ(done.timings.draft_true_n, done.timings.draft_n);
  EXPECT_EQ(engine.counts().n_model_drafts, done.timings.draft_n);
  EXPECT_EQ(engine.counts().n_true_model_drafts, done.timings.draft_n);
  // The prompt; some draft tokens, for which streams have 5 rows (options()) beside their own.
  EXPECT_EQ(executor.n_steps, 1 + 99 / 6 + 1);
}

TEST(EngineDrafts, NoModelChangesAToken) {
  for (const float temperature : {0.f, 1.f}) {
    const Request r = long_answer({1, 2, 3}, temperature);
    const Done expected = alone(r);
    for (const int context : {1, 1 << 30}) {  // one that knows little, and the model itself
      FakeExecutor executor(kRoomy), draft({.max_rows = 512, .n_pages = 256, .context = context});
      Engine engine(executor, drafted(draft));
      const Done done = run(engine, r);
      EXPECT_EQ(done.ids, expected.ids);
      EXPECT_GT(done.timings.draft_n, 50);
      EXPECT_LT(done.timings.draft_true_n, 100);
    }
  }
}

TEST(EngineDrafts, NgramLookupTakesPrecedence) {
  // The model repeats itself soon; the draft is wrong by then.
  FakeExecutor executor({.n_vocab = 6, .max_rows = 64, .context = 2}),
      draft({.n_vocab = 6, .max_rows = 64, .context = 1});
  Engine engine(executor, drafted(draft));
  const Done done = run(engine, long_answer({1, 2, 3, 4, 5}));
  EXPECT_EQ(done.ids.size(), 100u);
  const EngineCounts& counts = engine.counts();
  EXPECT_GT(counts.n_model_drafts, 0);
  EXPECT_GT(counts.n_true_drafts - counts.n_true_model_drafts, 50);
}

TEST(EngineDrafts, SpeculationCanBeTurnedOff) {
  FakeExecutor executor(kRoomy), draft(kRoomy);
  Engine engine(executor, drafted(draft));
  Request r = long_answer({1, 2, 3});
  r.options.speculate = false;
  EXPECT_EQ(run(engine, r).timings.draft_n, 0);
  EngineOptions none = drafted(draft);
  none.most_drafts = 0;
  Engine other(executor, none);
  EXPECT_EQ(run(other, long_answer({1, 2, 3})).timings.draft_n, 0);
  EXPECT_EQ(draft.n_steps, 0);
}

TEST(EngineDrafts, AnErrorOfTheDraftModelCostsDraftsOnly) {
  FakeExecutor executor(kRoomy), draft(kRoomy);
  Engine engine(executor, drafted(draft));
  const RequestId first = *engine.submit(long_answer({1, 2, 3}));
  const RequestId second = *engine.submit(long_answer({4, 5}));
  for (int i = 0; i < 4; ++i) engine.step();
  const int64_t before = engine.counts().n_drafts;
  EXPECT_GT(before, 0);
  draft.fail_next = Error{Code::unavailable, "no device", "", ""};
  while (engine.step() > 0) {
  }
  Done done[2];
  collect(engine, first, done[0]);
  collect(engine, second, done[1]);
  EXPECT_EQ(done[0].ids, alone(long_answer({1, 2, 3})).ids);
  EXPECT_EQ(done[1].ids, alone(long_answer({4, 5})).ids);
  EXPECT_EQ(engine.counts().n_drafts, before);
  EXPECT_EQ(engine.draft()->n_free_pages(), draft.groups()[0].n_pages);
  EXPECT_GT(run(engine, long_answer({6, 7})).timings.draft_n, 0);  // the next answer tries again
}

TEST(EngineDrafts, CancelGivesTheDraftsPagesBack) {
  FakeExecutor executor(kRoomy), draft(kRoomy);
  Engine engine(executor, drafted(draft));
  const RequestId id = *engine.submit(long_answer({1, 2, 3}));
  for (int i = 0; i < 4; ++i) engine.step();
  EXPECT_LT(engine.draft()->n_free_pages(), draft.groups()[0].n_pages);
  engine.cancel(id);
  EXPECT_EQ(engine.draft()->n_free_pages(), draft.groups()[0].n_pages);
}

// In options() prompts may have 5 rows of a step beside a stream; the draft model may have no more.
TEST(EngineDrafts, ALongPromptIsReadInPiecesBesideAStream) {
  FakeExecutor executor(kRoomy), draft(kRoomy);
  Engine engine(executor, drafted(draft));
  Request stream = long_answer({1, 2, 3});
  stream.options.speculate = false;  // the draft's rows are the long one's
  const RequestId first = *engine.submit(stream);
  engine.step();
  const std::vector<int32_t> prompt(150, 7);
  const RequestId second = *engine.submit(long_answer(prompt));
  Done done[2];
  int64_t n_pieces = 0;
  while (!done[1].over) {
    const int64_t before = draft.n_rows, drafts_before = engine.counts().n_model_drafts;
    ASSERT_GT(engine.step(), 0);
    if (!done[0].over) collect(engine, first, done[0]);
    collect(engine, second, done[1]);
    if (engine.counts().n_model_drafts > drafts_before || done[0].over) continue;
    if (draft.n_rows == before) continue;
    ++n_pieces;
    EXPECT_LE(draft.n_rows - before, 5 + engine.draft()->most_unread());
    if (done[1].ids.empty()) {
      EXPECT_LE(draft.n_rows - before, 5);
    }
  }
  EXPECT_GE(n_pieces, (150 - engine.draft()->most_unread()) / 5);
  EXPECT_EQ(done[1].ids, alone(long_answer(prompt)).ids);
}

TEST(EngineDrafts, AnswersToOnePromptShareItsReading) {
  FakeExecutor executor(kRoomy), draft(kRoomy);
  Engine engine(executor, drafted(draft));
  Request r = request(std::vector<int32_t>(120, 3), 20, 1);
  r.options.ignore_eos = true;
  r.options.n = 6;
  const RequestId first = *engine.submit(r);
  while (engine.step() > 0) {
  }
  r.options.n = 1;
  for (int i = 0; i < 6; ++i, ++r.options.sampling.seed) {
    Done done;
    collect(engine, first + i, done);
    EXPECT_EQ(done.ids, alone(r).ids);
    EXPECT_GT(done.timings.draft_n, 0);
  }
  EXPECT_LT(draft.n_rows, 2 * 120 + 6 * 20 * 6);  // draft tokens: 5 and a row at most in a step
}

TEST(EngineDrafts, AConstraintIsKept) {
  Request r = request({1, 2, 3}, 40);
  r.constraint = [] { return std::make_unique<FakeConstraint>(); };
  FakeExecutor executor(kRoomy), draft(kRoomy);
  Engine engine(executor, drafted(draft));
  const Done done = run(engine, r);
  EXPECT_EQ(done.ids, alone(r).ids);
  EXPECT_GT(done.timings.draft_n, 0);
}

}  // namespace
}  // namespace quern
