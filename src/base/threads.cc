#include "base/threads.h"

#if QUERN_THREADS
#include <sys/mman.h>
#include <sys/resource.h>

#include <new>

namespace quern {

namespace {

bool has_room_for_a_stack() {
  constexpr size_t kUnlimited = 2 << 20;  // what the C library takes then
  constexpr size_t kGuard = 1 << 16;
  rlimit limit{};
  const bool known = getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  const size_t bytes = (known ? static_cast<size_t>(limit.rlim_cur) : kUnlimited) + kGuard;
  void* at = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return false;
  munmap(at, bytes);
  return true;
}

}  // namespace

void throw_refused_thread(const std::system_error& error) {
  if (!has_room_for_a_stack()) throw std::bad_alloc();
  throw error;
}

}  // namespace quern
#endif
