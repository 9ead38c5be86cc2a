#include "cli/out_of_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <new>
#include <stdexcept>

#include "cli/exit_code.h"
#include "cli/prompt_terminal.h"
#include "text/rust_memory.h"

namespace quern::cli {

namespace {

#define QUERN_WHAT "memory ran out"
#define QUERN_FIX                                                                          \
  "use a smaller model or --context, --kv int8, fewer --threads or answers at a time; or " \
  "give the program more memory (ulimit -v tells the shell's limit, a container has its own)"

// Handlers get no argument, so their state is static.
std::atomic<bool> refused{false};  // to operator new, at any time
std::atomic_flag ends;             // a thread is ending the program
std::terminate_handler otherwise = nullptr;

// Allocates nothing.
[[noreturn]] void end() {
  if (ends.test_and_set())
    for (;;) pause();  // another thread says it
  restore_terminal();
  std::fflush(stdout);  // what was answered before
  constexpr char kText[] = "quern: " QUERN_WHAT "\n  do:    " QUERN_FIX "\n";
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, kText, sizeof kText - 1);
  _exit(kMemory);
}

bool is_about_memory(const std::exception_ptr& exception) {
  // An exception needs memory too: without memory there is no exception.
  if (!exception) return refused;
  try {
    std::rethrow_exception(exception);
  } catch (const std::bad_alloc&) {
    return true;
  } catch (const std::length_error&) {  // more than any memory has
    return true;
  } catch (...) {
    return false;
  }
}

void on_terminate() {
  if (is_about_memory(std::current_exception())) end();
  otherwise();
}

void on_refusal() {
  refused = true;
  throw std::bad_alloc();
}

constexpr size_t kStack = 512 << 10;

[[gnu::noinline]] void touch_stack() {
  volatile char room[kStack];
  room[0] = 1;
  (void)room[0];
}

// The main thread's stack grows page by page, and where the limit leaves no page for it the kernel
// sends a signal. So it grows at once, if there is room.
void grow_stack() {
  void* room = mmap(nullptr, kStack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) end();
  munmap(room, kStack);
  touch_stack();
}

}  // namespace

void end_where_memory_runs_out() {
  otherwise = std::set_terminate(on_terminate);
  std::set_new_handler(on_refusal);
  on_rust_out_of_memory([](size_t) { end(); });
  grow_stack();
}

Error out_of_memory() { return {Code::out_of_memory, QUERN_WHAT, {}, QUERN_FIX}; }

}  // namespace quern::cli
