// Threads, and what stands in their place on systems that have none: WebAssembly under WASI. All
// work there is done by the one thread that calls, and the standard library declares nothing.
#pragma once

#if defined(__wasi__)
#define QUERN_THREADS 0
#else
#define QUERN_THREADS 1
#include <system_error>
#include <thread>
#endif

namespace quern {

#if QUERN_THREADS
using Thread = std::thread;

// The system refused a thread. It gives the same reason for too many threads and for no memory for
// another's stack: this throws std::bad_alloc for the second, `error` for anything else.
[[noreturn]] void throw_refused_thread(const std::system_error& error);

// start() makes a thread, as std::thread or std::async do. Throws as throw_refused_thread.
template <class F>
auto start_thread(F&& start) {
  try {
    return start();
  } catch (const std::system_error& error) {
    throw_refused_thread(error);
  }
}
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
