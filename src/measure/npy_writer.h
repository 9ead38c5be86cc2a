// A numpy array file (.npy, format 1.0: float32, C order, two dimensions) written row by row, so
// that it never has to fit in memory. The format: numpy's documentation, lib/format.
#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace quern::measure {

// The header with its magic: a multiple of 64 bytes.
std::string npy_header(int64_t n_rows, int64_t n_cols);

// Writes beside the file and renames at the end: the final name never holds a partial file.
// Anything but a regular file (a pipe, /dev/null) is written directly. Not thread-safe.
class NpyWriter {
 public:
  // Errors: not_found (cannot create), with the system's reason.
  static Result<NpyWriter> create(const std::string& path, int64_t n_rows, int64_t n_cols);
  NpyWriter(NpyWriter&&) = default;
  NpyWriter& operator=(NpyWriter&&) = delete;
  ~NpyWriter();  // without finish the part is removed

  Result<> append(std::span<const float> row);  // n_cols of them. Errors: unavailable (disk full)
  Result<> finish();                            // after n_rows rows

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  NpyWriter(std::string path, std::string part, std::FILE* file)
      : path_(std::move(path)), part_(std::move(part)), file_(file) {}
  Error failure() const;

  std::string path_, part_;  // part_ is empty where path_ is written directly
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace quern::measure
