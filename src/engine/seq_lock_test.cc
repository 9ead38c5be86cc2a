#include "engine/seq_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace quern {
namespace {

struct Numbers {
  int64_t all[17] = {};
};

TEST(SeqLock, AReaderSeesOneWriteWhole) {
  SeqLock<Numbers> shared;
  std::atomic<bool> done = false;
  std::thread reader([&] {
    int64_t last = 0;
    while (!done || last == 0) {
      const Numbers numbers = shared.read();
      for (const int64_t number : numbers.all) ASSERT_EQ(number, numbers.all[0]);
      ASSERT_GE(numbers.all[0], last);
      last = numbers.all[0];
    }
  });
  for (int64_t i = 1; i <= 20000; ++i) {
    Numbers numbers;
    for (int64_t& number : numbers.all) number = i;
    shared.write(numbers);
  }
  done = true;
  reader.join();
  EXPECT_EQ(shared.read().all[16], 20000);
}

}  // namespace
}  // namespace quern
