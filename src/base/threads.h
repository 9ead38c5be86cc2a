// Threads, and what stands in their place on systems that have none: WebAssembly under WASI. All
// work there is done by the one thread that calls, and the standard library declares nothing.
#pragma once

#if defined(__wasi__)
#define QUERN_THREADS 0
#else
#define QUERN_THREADS 1
#include <thread>
#endif

namespace quern {

#if QUERN_THREADS
using Thread = std::thread;
#else
// Never made: pools refuse to start more than the caller's thread.
struct Thread {
  template <class F>
  explicit Thread(F&&) {
    __builtin_trap();
  }
  void join() {}
};
#endif

}  // namespace quern
