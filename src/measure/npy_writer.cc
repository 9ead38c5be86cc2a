#include "measure/npy_writer.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

namespace quern::measure {

static_assert(std::endian::native == std::endian::little, "the header says little-endian");

std::string npy_header(int64_t n_rows, int64_t n_cols) {
  std::string dict = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
                                 n_rows, n_cols);
  constexpr size_t kBefore = 10;  // magic, version, length
  while ((kBefore + dict.size() + 1) % 64 != 0) dict += ' ';
  dict += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dict.size() & 255);
  header += static_cast<char>(dict.size() >> 8);
  return header + dict;
}

Result<NpyWriter> NpyWriter::create(const std::string& path, int64_t n_rows, int64_t n_cols) {
  struct stat status {};
  const bool special = stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
  const std::string part = special ? "" : fmt::format("{}.part-{}", path, getpid());
  std::FILE* file = std::fopen(special ? path.c_str() : part.c_str(), "wb");
  if (!file)
    return Error{Code::not_found, fmt::format("cannot write: {}", std::strerror(errno)), path,
                 "name a file in a folder that exists and can be written"};
  NpyWriter writer(path, part, file);
  const std::string header = npy_header(n_rows, n_cols);
  if (std::fwrite(header.data(), 1, header.size(), file) != header.size()) return writer.failure();
  return writer;
}

NpyWriter::~NpyWriter() {
  if (file_ && !part_.empty()) unlink(part_.c_str());
}

Error NpyWriter::failure() const {
  return Error{Code::unavailable, fmt::format("cannot write: {}", std::strerror(errno)), path_,
               "make room on the disk"};
}

Result<> NpyWriter::append(std::span<const float> row) {
  if (std::fwrite(row.data(), sizeof(float), row.size(), file_.get()) != row.size())
    return failure();
  return Ok{};
}

Result<> NpyWriter::finish() {
  const bool whole = std::fflush(file_.get()) == 0;
  if (!whole) return failure();
  if (!part_.empty() && std::rename(part_.c_str(), path_.c_str()) != 0) return failure();
  file_.reset();
  return Ok{};
}

}  // namespace quern::measure
