// Threads, and their replacement on systems without: WebAssembly under WASI. There the calling
// thread does all work, and the standard library declares no threads.
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
// Never called: pools refuse to start more than the caller's thread.
struct Thread {
  template <class F>
  explicit Thread(F&&) {
    __builtin_trap();
  }
  void join() {}
};
#endif

}  // namespace quern
