// Reads little-endian numbers and length-prefixed strings from untrusted bytes. Nothing is read
// outside the span; a read that does not fit returns false and leaves the cursor where it was.
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace quern {

static_assert(std::endian::native == std::endian::little,
              "numbers are read as they lie in the file");

class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t offset() const { return at_; }
  uint64_t remaining() const { return bytes_.size() - at_; }
  // What has been read from `offset` on.
  std::span<const std::byte> since(uint64_t offset) const {
    return bytes_.subspan(offset, at_ - offset);
  }

  template <class T>
  requires std::integral<T> || std::floating_point<T>
  bool read(T& value) {
    if (remaining() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }

  // A 64-bit length, then that many bytes; `text` views the file.
  bool read(std::string_view& text) {
    uint64_t length = 0;
    const uint64_t start = at_;
    if (!read(length) || length > remaining()) {
      at_ = start;
      return false;
    }
    text = {reinterpret_cast<const char*>(bytes_.data()) + at_, static_cast<size_t>(length)};
    at_ += length;
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t at_ = 0;
};

}  // namespace quern
