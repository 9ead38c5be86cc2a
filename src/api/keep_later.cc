#include "api/keep_later.h"

#include <system_error>

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace quern {
namespace {

void lower_priority() {
#if defined(__linux__)
  constexpr int kLowest = 19;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kLowest);
#endif
}

}  // namespace

KeepLater::~KeepLater() {
  if (thread_.joinable()) thread_.join();
}

void KeepLater::start() {
  std::call_once(started_, [this] {
    try {
      thread_ = std::thread([this] {
        lower_priority();
        work_();
      });
    } catch (const std::system_error&) {  // no more threads: then not this time
    }
  });
}

}  // namespace quern
