#include "support/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<size_t> largest = 0;
}

void* operator new(size_t size, const std::nothrow_t&) noexcept {
  size_t seen = largest.load(std::memory_order_relaxed);
  while (seen < size && !largest.compare_exchange_weak(seen, size)) {
  }
  return std::malloc(size > 0 ? size : 1);
}
void* operator new(size_t size) {
  if (void* at = operator new(size, std::nothrow)) return at;
#if defined(__cpp_exceptions)
  throw std::bad_alloc();
#else
  std::abort();
#endif
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete(void* at, size_t) noexcept { std::free(at); }
void operator delete(void* at, const std::nothrow_t&) noexcept { std::free(at); }

namespace quern::testing {

size_t largest_allocation() { return largest; }
void forget_allocations() { largest = 0; }

}  // namespace quern::testing
