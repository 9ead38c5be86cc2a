#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/utf8.h"
#include "cli/line_source.h"
#include "cli/signals.h"

namespace quern::cli {

namespace {

class PlainLines : public LineSource {
 public:
  Line read(const std::string&) override {
    while (true) {
      const size_t newline = buffer_.find('\n');
      if (newline != std::string::npos) return take(newline, newline + 1);
      if (ended_) return buffer_.empty() ? Line{} : take(buffer_.size(), buffer_.size());
      if (!wait_readable(STDIN_FILENO)) {
        if (take_interrupt()) return {LineKind::interrupted, {}};
        continue;
      }
      char block[4096];
      const ssize_t got = ::read(STDIN_FILENO, block, sizeof block);
      if (got > 0) buffer_.append(block, static_cast<size_t>(got));
      if (got == 0) ended_ = true;
      if (got < 0 && errno != EINTR) return {LineKind::failed, std::strerror(errno)};
    }
  }

 private:
  Line take(size_t length, size_t drop) {
    Line line{LineKind::typed, buffer_.substr(0, length)};
    if (first_) line.text = without_mark(line.text);
    first_ = false;
    buffer_.erase(0, drop);
    return line;
  }

  std::string buffer_;
  bool ended_ = false, first_ = true;
};

}  // namespace

std::unique_ptr<LineSource> plain_lines() { return std::make_unique<PlainLines>(); }

}  // namespace quern::cli
