#include "engine/reply.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace quern {
namespace {

Output text(const std::string& piece) {
  Output output;
  output.text = piece;
  return output;
}

Output end() {
  Output output;
  output.finish = Finish::stop;
  return output;
}

TEST(Reply, TryTakeNeverWaits) {
  Reply reply({});
  EXPECT_FALSE(reply.try_take());
  reply.put(text("a"));
  reply.put(text("b"));
  EXPECT_EQ(reply.try_take()->text, "ab");
  EXPECT_FALSE(reply.try_take());
  reply.put(end());
  EXPECT_EQ(reply.try_take()->finish, Finish::stop);
  EXPECT_FALSE(reply.try_take());
}

TEST(Reply, ReadyIsCalledOnceForAllThatIsUnread) {
  Reply reply({});
  int n = 0;
  reply.on_ready([&] { ++n; });
  EXPECT_EQ(n, 0);
  reply.put(text("a"));
  reply.put(text("b"));
  EXPECT_EQ(n, 1);
  EXPECT_TRUE(reply.take());
  EXPECT_FALSE(reply.try_take());
  EXPECT_EQ(n, 1);
  reply.put(text("c"));
  EXPECT_EQ(n, 2);
  reply.put(end());  // "c" is unread
  EXPECT_EQ(n, 2);
}

TEST(Reply, ReadyIsCalledAtOnceWhereAReadWouldNotWait) {
  Reply reply({});
  int n = 0;
  const auto count = [&] { ++n; };
  reply.put(text("a"));
  reply.on_ready(count);
  EXPECT_EQ(n, 1);
  reply.put(text("b"));  // the same batch
  EXPECT_EQ(n, 1);
  EXPECT_TRUE(reply.try_take());
  reply.on_ready(count);
  EXPECT_EQ(n, 1);
  reply.put(end());
  EXPECT_EQ(n, 2);
  EXPECT_TRUE(reply.try_take());
  reply.on_ready(count);  // nothing more will come: a read returns at once
  EXPECT_EQ(n, 3);
}

TEST(Reply, AReadyThatWasReplacedIsNotCalled) {
  Reply reply({});
  int n_old = 0, n_new = 0;
  reply.on_ready([&] { ++n_old; });
  reply.on_ready([&] { ++n_new; });
  reply.put(text("a"));
  reply.on_ready({});
  EXPECT_TRUE(reply.take());
  reply.put(text("b"));
  EXPECT_EQ(n_old, 0);
  EXPECT_EQ(n_new, 1);
}

// Whatever the moment, the reader hears of each batch, and not of any twice. What `ready` belongs
// to may go once it was taken back.
TEST(Reply, NoBatchIsMissedWhileOneThreadPutsAndAnotherReads) {
  for (int round = 0; round < 50; ++round) {
    Reply reply({});
    std::thread engine([&] {
      for (int i = 0; i < 200; ++i) reply.put(text("x"));
      reply.put(end());
    });
    size_t n_read = 0;
    bool over = false;
    int n_batches = 0;
    auto n_told = std::make_unique<std::atomic<int>>(0);
    const auto told = [p = n_told.get()] { ++*p; };
    reply.on_ready(told);
    while (!over) {
      while (*n_told == n_batches) std::this_thread::yield();
      const auto output = reply.try_take();
      ASSERT_TRUE(output);  // told, so there is something
      ++n_batches;
      n_read += output->text.size();
      over = output->finished();
    }
    reply.on_ready({});
    EXPECT_EQ(n_read, 200u);
    EXPECT_EQ(*n_told, n_batches);
    n_told.reset();
    engine.join();
  }
}

}  // namespace
}  // namespace quern
