// Reads the lines of a file or pipe of any size, one after the other; lines over a limit are not
// kept in memory.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace quern::openai {

struct InputLine {
  std::string text;    // without its newline, and the first without a byte order mark; empty where
                       // it is too long
  int64_t number = 0;  // from 1
  int64_t begin = 0;   // byte in the file
  bool whole = true;   // a newline ends it
  bool too_long = false;
};

// Not thread-safe.
class LineReader {
 public:
  // Waits until fd can be read. False: a signal came first. Empty: read() itself waits.
  using WaitReadable = std::function<bool(int fd)>;

  // fd: stays the caller's. name: for errors. max_bytes: of a line.
  LineReader(int fd, std::string name, size_t max_bytes, WaitReadable wait = {})
      : fd_(fd), name_(std::move(name)), max_bytes_(max_bytes), wait_(std::move(wait)) {}

  // The next line. Nothing at the end of the input; without `wait` also where no line is complete
  // yet, with it where a signal came first. Errors: not_found (it cannot be read).
  Result<std::optional<InputLine>> next(bool wait);
  bool at_end() const { return ended_ && buffer_.empty() && !skipping_; }

 private:
  InputLine take(size_t length, bool whole);
  Result<bool> more(bool wait);  // false: nothing was read

  int fd_;
  std::string name_;
  size_t max_bytes_;
  WaitReadable wait_;
  std::string buffer_;                 // read and not yet returned
  size_t searched_ = 0;                // of buffer_, without a newline
  int64_t number_ = 0, position_ = 0;  // of the line that buffer_ begins
  int64_t skipped_ = 0;                // bytes of a line too long that were dropped
  bool skipping_ = false, ended_ = false;
};

// Lines that hold anything but white space, of a regular file; nothing of other files.
std::optional<int64_t> count_lines(int fd);

}  // namespace quern::openai
