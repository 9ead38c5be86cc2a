// How many answers wait for their first row. Bounded where requests come in, on their caller's
// thread: whoever is over the bound is told so at once.
#pragma once
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

namespace quern {

// Thread-safe. Outlives the engine as long as a place does.
class WaitingCount {
 public:
  explicit WaitingCount(int most) : most_(most) {}

  // One answer that is counted, until the place is released or destroyed.
  class Place {
   public:
    Place() = default;
    explicit Place(std::shared_ptr<WaitingCount> count) : count_(std::move(count)) {}
    Place(Place&& other) noexcept = default;
    Place& operator=(Place&& other) noexcept {
      std::swap(count_, other.count_);
      return *this;
    }
    ~Place() { release(); }

    void release() {
      if (count_) count_->n_.fetch_sub(1, std::memory_order_relaxed);
      count_.reset();
    }

   private:
    std::shared_ptr<WaitingCount> count_;
  };

  // n places; none where there would be more than the bound.
  static std::vector<Place> take(const std::shared_ptr<WaitingCount>& count, int n) {
    int now = count->n();
    do {
      if (n > count->most_ - now) return {};
    } while (!count->n_.compare_exchange_weak(now, now + n, std::memory_order_relaxed));
    std::vector<Place> places;
    places.reserve(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) places.emplace_back(count);
    return places;
  }

  int n() const { return n_.load(std::memory_order_relaxed); }
  int most() const { return most_; }

 private:
  const int most_;
  std::atomic<int> n_ = 0;
};

}  // namespace quern
