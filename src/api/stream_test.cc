// Streams as an event loop reads them: one thread, which waits for the system alone.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "quern/model.h"

#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#endif

namespace quern {
namespace {

Model loaded() {
  auto model = Model::load(QUERN_SOURCE_DIR "/tests/data/tiny/llama_gqa3_tied.gguf",
                           {.threads = 1, .packed_cache = PackedUse::off});
  EXPECT_TRUE(model);
  return *model;
}

GenerateOptions asking(int max_tokens, uint64_t seed = 0) {
  GenerateOptions o;
  o.max_tokens = max_tokens;
  o.sampling.temperature = 1;
  o.sampling.seed = seed;
  o.ignore_eos = true;
  return o;
}

const std::vector<int32_t> kPrompt{1, 2, 3};

TEST(Stream, TryNextGivesWhatThereIs) {
  const Model model = loaded();
  auto streams = model.submit(kPrompt, asking(20));
  ASSERT_TRUE(streams);
  Stream& stream = streams->front();
  std::vector<int32_t> ids;
  while (!stream.over())  // some of these come too early
    if (const auto delta = stream.try_next())
      ids.insert(ids.end(), delta->ids.begin(), delta->ids.end());
  EXPECT_FALSE(stream.try_next());
  ASSERT_TRUE(stream.result());
  EXPECT_EQ(ids, stream.result()->ids);
  EXPECT_EQ(ids, model.generate(kPrompt, asking(20))->ids);
}

#if defined(__linux__)
TEST(Stream, OneThreadServesManyByEpoll) {
  constexpr int kStreams = 64, kTokens = 8;
  const Model model = loaded();
  const int poll = epoll_create1(0);
  ASSERT_GE(poll, 0);
  std::vector<Stream> streams;
  std::vector<int> events;
  for (int i = 0; i < kStreams; ++i) {
    auto made = model.submit(kPrompt, asking(kTokens, static_cast<uint64_t>(i)));
    ASSERT_TRUE(made) << to_string(made.error());
    streams.push_back(std::move(made->front()));
    events.push_back(eventfd(0, EFD_NONBLOCK));
    epoll_event watched{.events = EPOLLIN, .data = {.u32 = static_cast<uint32_t>(i)}};
    ASSERT_EQ(epoll_ctl(poll, EPOLL_CTL_ADD, events.back(), &watched), 0);
    streams.back().on_ready([event = events.back()] { (void)eventfd_write(event, 1); });
  }
  for (int n_over = 0; n_over < kStreams;) {
    epoll_event ready[8];
    const int n = epoll_wait(poll, ready, 8, 60'000);
    ASSERT_GT(n, 0) << "a stream said nothing";
    for (int k = 0; k < n; ++k) {
      const uint32_t i = ready[k].data.u32;
      eventfd_t count = 0;
      ASSERT_EQ(eventfd_read(events[i], &count), 0);
      while (streams[i].try_next()) {
      }
      n_over += streams[i].over();
    }
  }
  for (int i = 0; i < kStreams; ++i) {
    ASSERT_TRUE(streams[i].result());
    EXPECT_EQ(streams[i].result()->ids.size(), static_cast<size_t>(kTokens));
    if (i % 16 == 0) {
      EXPECT_EQ(streams[i].result()->ids,
                model.generate(kPrompt, asking(kTokens, static_cast<uint64_t>(i)))->ids);
    }
    streams[i].on_ready({});
    close(events[i]);
  }
  close(poll);
}
#endif

TEST(Stream, CountsAndTimesAreThere) {
  const Model model = loaded();
  auto streams = model.submit(kPrompt, asking(5));
  ASSERT_TRUE(streams);
  const Timings timings = streams->front().result()->timings;
  EXPECT_GE(timings.first_token_ms, timings.queue_ms);
  EXPECT_GT(timings.per_token_ms, 0);
  ASSERT_TRUE(model.generate(kPrompt, asking(5)));
  const EngineCounts counts = model.counts();
  EXPECT_GE(counts.n_steps, 5);
  EXPECT_GE(counts.n_generated, 10);
  EXPECT_EQ(counts.n_waiting, 0);
  EXPECT_GT(counts.n_pages, 0);
  EXPECT_LE(counts.n_used_pages + counts.n_cached_pages, counts.n_pages);
}

}  // namespace
}  // namespace quern
