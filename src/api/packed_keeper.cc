#include "api/packed_keeper.h"

#include <chrono>

namespace quern {
namespace {

// Seconds that the end of a program may wait, and after which the disk's rate is known.
constexpr double kPatience = 2, kKnown = 0.25;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

PackedKeeper::~PackedKeeper() { leaving_ = true; }

bool PackedKeeper::keep_going(double begin_s, double done) const {
  const double taken = now_s() - begin_s;
  if (patient_ || !leaving_ || taken < kKnown) return true;
  // What is left, at the rate so far; the other half is for the disk to flush.
  return taken * (1 - done) <= kPatience / 2 * done;
}

void PackedKeeper::work() {
  const double begin = now_s();
  const Result<> kept =
      cache_.store(contents_, [&](double done) { return keep_going(begin, done); });
  if (!kept && kept.error().code != Code::cancelled && note_)
    note_("packed weights are not kept: " + to_string(kept.error()));
}

}  // namespace quern
