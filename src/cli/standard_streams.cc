#include "cli/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

namespace quern::cli {

namespace {

struct Stream {
  int fd;
  int flags;  // the wrong way round: the call a program makes is refused
};
constexpr Stream kStreams[] = {
    {STDIN_FILENO, O_WRONLY}, {STDOUT_FILENO, O_RDONLY}, {STDERR_FILENO, O_WRONLY}};

}  // namespace

void open_standard_streams() {
  for (const Stream& stream : kStreams) {
    if (fcntl(stream.fd, F_GETFD) >= 0) continue;
    // All lower ones are open, so the lowest free descriptor is this one. Where there is no
    // /dev/null a folder refuses as well.
    if (open("/dev/null", stream.flags) < 0 && open("/", O_RDONLY) < 0) return;
  }
}

}  // namespace quern::cli
