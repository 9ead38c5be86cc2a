#include "api/packed_keeper.h"

#include <chrono>
#include <system_error>

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace quern {
namespace {

// Seconds that the end of a program may wait, and after which the disk's rate is known.
constexpr double kPatience = 2, kKnown = 0.25;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void lower_priority() {
#if defined(__linux__)
  constexpr int kLowest = 19;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kLowest);
#endif
}

}  // namespace

PackedKeeper::~PackedKeeper() {
  leaving_ = true;
  if (thread_.joinable()) thread_.join();
}

void PackedKeeper::start() {
  std::call_once(started_, [this] {
    try {
      thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {  // no more threads: then not this time
    }
  });
}

bool PackedKeeper::keep_going(double begin_s, double done) const {
  const double taken = now_s() - begin_s;
  if (patient_ || !leaving_ || taken < kKnown) return true;
  // What is left, at the rate so far; the other half is for the disk to flush.
  return taken * (1 - done) <= kPatience / 2 * done;
}

void PackedKeeper::work() {
  lower_priority();
  const double begin = now_s();
  const Result<> kept =
      cache_.store(contents_, [&](double done) { return keep_going(begin, done); });
  if (!kept && kept.error().code != Code::cancelled && note_)
    note_("packed weights are not kept: " + to_string(kept.error()));
}

}  // namespace quern
