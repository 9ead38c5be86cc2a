// Writes a file, readable by its owner alone, that appears whole or not at all: under a temporary
// name beside it, then flushed to the disk and renamed. Several processes may write the same file;
// the last one's stays.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace quern {

class FileWriter {
 public:
  // Stands between the file's name and the unique part of a temporary name.
  static constexpr const char* kTemporary = ".part-";

  // Errors, here and below: unavailable (the folder is not there or not writable, the disk is
  // full).
  static Result<FileWriter> create(const std::string& path);
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();  // without finish() nothing stays

  // Holes are zeros. Writing to the disk starts at once, so that finish() waits only for the rest.
  Result<> write(int64_t at, std::span<const std::byte> bytes);
  Result<> finish();

 private:
  FileWriter(std::string path, std::string temporary, int fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}
  Error failure() const;

  std::string path_, temporary_;
  int fd_ = -1;
};

}  // namespace quern
