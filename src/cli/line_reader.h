// The lines of a file or pipe of any length, one after the other, none longer than a limit in
// memory.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace quern::cli {

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
  // fd: stays the caller's. name: for errors. most: bytes of a line.
  LineReader(int fd, std::string name, size_t most)
      : fd_(fd), name_(std::move(name)), most_(most) {}

  // The next line. Nothing at the end of the input; without `wait` also where none has come yet,
  // with it where a signal came first. Errors: not_found (it cannot be read).
  Result<std::optional<InputLine>> next(bool wait);
  bool at_end() const { return ended_ && buffer_.empty() && !skipping_; }

 private:
  InputLine take(size_t length, bool whole);
  Result<bool> more(bool wait);  // false: nothing came

  int fd_;
  std::string name_;
  size_t most_;
  std::string buffer_;                 // read and not yet given
  size_t searched_ = 0;                // of buffer_, without a newline
  int64_t number_ = 0, position_ = 0;  // of the line that buffer_ begins
  int64_t skipped_ = 0;                // bytes of a line too long that are gone already
  bool skipping_ = false, ended_ = false;
};

// Lines that hold anything but white space, of a whole regular file; nothing of other files.
std::optional<int64_t> count_lines(int fd);

}  // namespace quern::cli
