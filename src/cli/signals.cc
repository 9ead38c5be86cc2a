#include "cli/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "cli/exit_code.h"

namespace quern::cli {

namespace {

constexpr int kPatience = 3;
// A signal handler can reach nothing but objects of static lifetime.
std::atomic<int> interrupts{0};
std::atomic<bool> resized{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void on_interrupt(int) {
  if (interrupts.fetch_add(1) + 1 >= kPatience) _exit(kInterrupted);
}

void on_resize(int) { resized = true; }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: a read that waits must come back
  sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_interrupts() {
  handle(SIGINT, on_interrupt);
  handle(SIGWINCH, on_resize);
  handle(SIGCONT, on_resize);
}

bool interrupted() { return interrupts.load() > 0; }
bool take_interrupt() { return interrupts.exchange(0) > 0; }
bool take_resize() { return resized.exchange(false); }

}  // namespace quern::cli
