#include "formats/gguf_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "quant/format.h"

namespace quern {
namespace {

constexpr uint32_t kVersion = 3;

size_t padding(size_t size, int64_t alignment) {
  return -size & (static_cast<size_t>(alignment) - 1);
}

Error system_error(const std::string& path, const char* doing) {
  const char* fix = errno == ENOSPC ? "free some disk space" : "";
  return {Code::unavailable, std::string("cannot ") + doing + ": " + std::strerror(errno), path,
          fix};
}

// An open file under a temporary name; removed unless it was given its real one.
class NewFile {
 public:
  explicit NewFile(const std::string& path)
      : path_(path),
        temporary_(path + ".part-" + std::to_string(::getpid())),
        fd_(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {}
  ~NewFile() {
    if (fd_ >= 0) {
      ::close(fd_);
      ::unlink(temporary_.c_str());
    }
  }
  bool is_open() const { return fd_ >= 0; }

  bool write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return false;
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return true;
  }

  // Flushes, closes (some systems report a full disk only here) and renames the file.
  bool commit() {
    if (::fsync(fd_) != 0) return false;
    const int fd = std::exchange(fd_, -1);
    if (::close(fd) == 0 && std::rename(temporary_.c_str(), path_.c_str()) == 0) return true;
    const int error = errno;
    ::unlink(temporary_.c_str());
    errno = error;
    return false;
  }

 private:
  std::string path_, temporary_;
  int fd_;
};

}  // namespace

GgufWriter::GgufWriter(int64_t alignment) : alignment_(alignment) {
  CHECK(alignment >= 8 && std::has_single_bit(static_cast<uint64_t>(alignment)),
        "the alignment is a power of two, at least 8");
  if (alignment != kGgufDefaultAlignment)
    add<uint32_t>("general.alignment", static_cast<uint32_t>(alignment));
}

void GgufWriter::append(std::vector<std::byte>& to, const void* from, size_t size) {
  const size_t at = to.size();
  to.resize(at + size);
  if (size > 0) std::memcpy(to.data() + at, from, size);
}

void GgufWriter::append(std::vector<std::byte>& to, std::string_view text) {
  const uint64_t size = text.size();
  append(to, &size, sizeof size);
  append(to, text.data(), text.size());
}

void GgufWriter::begin_key(std::string_view key, GgufValue type) {
  ++n_keys_;
  append(keys_, key);
  append(keys_, &type, sizeof type);
}

void GgufWriter::begin_array(std::string_view key, GgufValue type, uint64_t count) {
  begin_key(key, GgufValue::array);
  append(keys_, &type, sizeof type);
  append(keys_, &count, sizeof count);
}

void GgufWriter::add(std::string_view key, std::string_view text) {
  begin_key(key, GgufValue::string);
  append(keys_, text);
}

void GgufWriter::add_array(std::string_view key, std::span<const std::string> texts) {
  begin_array(key, GgufValue::string, texts.size());
  for (const std::string& text : texts) append(keys_, text);
}

void GgufWriter::add_tensor(std::string name, Dtype dtype, std::vector<int64_t> dims,
                            std::span<const std::byte> data) {
  CHECK(info(dtype).gguf >= 0, "a type that GGUF does not have");
  CHECK(!dims.empty() && dims.size() <= 4, "a tensor has 1 to 4 dimensions");
  int64_t n_rows = 1;
  for (size_t d = 0; d + 1 < dims.size(); ++d) n_rows *= dims[d];
  CHECK(matrix_bytes(dtype, n_rows, dims.back()) == static_cast<int64_t>(data.size()),
        "tensor data does not fit its type and shape");
  tensors_.push_back({std::move(name), dtype, std::move(dims), data});
}

std::vector<std::byte> GgufWriter::header() const {
  std::vector<std::byte> out;
  const uint64_t n_tensors = tensors_.size();
  append(out, kGgufMagic, sizeof kGgufMagic);
  append(out, &kVersion, sizeof kVersion);
  append(out, &n_tensors, sizeof n_tensors);
  append(out, &n_keys_, sizeof n_keys_);
  append(out, keys_.data(), keys_.size());
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    append(out, tensor.name);
    const auto n_dims = static_cast<uint32_t>(tensor.dims.size());
    append(out, &n_dims, sizeof n_dims);
    for (auto dim = tensor.dims.rbegin(); dim != tensor.dims.rend(); ++dim)
      append(out, &*dim, sizeof *dim);
    const auto type = static_cast<uint32_t>(info(tensor.dtype).gguf);
    append(out, &type, sizeof type);
    append(out, &offset, sizeof offset);
    offset += tensor.data.size() + padding(tensor.data.size(), alignment_);
  }
  out.resize(out.size() + padding(out.size(), alignment_));
  return out;
}

std::vector<std::byte> GgufWriter::bytes() const {
  std::vector<std::byte> out = header();
  for (const Tensor& tensor : tensors_) {
    append(out, tensor.data.data(), tensor.data.size());
    out.resize(out.size() + padding(out.size(), alignment_));
  }
  return out;
}

Result<Ok> GgufWriter::write(const std::string& path) const {
  NewFile file(path);
  if (!file.is_open()) return system_error(path, "create the file");
  if (!file.write(header())) return system_error(path, "write the file");
  const std::vector<std::byte> zeros(static_cast<size_t>(alignment_));
  for (const Tensor& tensor : tensors_) {
    const std::span<const std::byte> pad(zeros.data(), padding(tensor.data.size(), alignment_));
    if (!file.write(tensor.data) || !file.write(pad)) return system_error(path, "write the file");
  }
  if (!file.commit()) return system_error(path, "finish the file");
  return Ok{};
}

}  // namespace quern
