// Writes GGUF version 3: keys in the order they were added, then tensors in theirs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"
#include "formats/gguf.h"

namespace quern {

// The value type that a C++ type is written as.
template <class T>
constexpr GgufValue gguf_value_type() {
  if constexpr (std::is_same_v<T, bool>) return GgufValue::boolean;
  if constexpr (std::is_same_v<T, uint8_t>) return GgufValue::u8;
  if constexpr (std::is_same_v<T, int8_t>) return GgufValue::i8;
  if constexpr (std::is_same_v<T, uint16_t>) return GgufValue::u16;
  if constexpr (std::is_same_v<T, int16_t>) return GgufValue::i16;
  if constexpr (std::is_same_v<T, uint32_t>) return GgufValue::u32;
  if constexpr (std::is_same_v<T, int32_t>) return GgufValue::i32;
  if constexpr (std::is_same_v<T, uint64_t>) return GgufValue::u64;
  if constexpr (std::is_same_v<T, int64_t>) return GgufValue::i64;
  if constexpr (std::is_same_v<T, float>) return GgufValue::f32;
  if constexpr (std::is_same_v<T, double>) return GgufValue::f64;
  return GgufValue::string;
}

// Keys and names are not checked for duplicates: parse_gguf refuses such a file. Not thread-safe.
class GgufWriter {
 public:
  // For an alignment other than 32: a power of two, at least 8. Also writes the key.
  explicit GgufWriter(int64_t alignment = kGgufDefaultAlignment);

  // T is a number or bool; readers are strict about widths, so name the type: add<uint32_t>(...).
  template <class T>
  requires std::is_arithmetic_v<T>
  void add(std::string_view key, T value) {
    begin_key(key, gguf_value_type<T>());
    append(keys_, &value, sizeof value);
  }
  void add(std::string_view key, std::string_view text);
  void add(std::string_view key, const char* text) { add(key, std::string_view(text)); }

  template <class T>
  requires std::is_arithmetic_v<T>
  void add_array(std::string_view key, std::span<const T> values) {
    begin_array(key, gguf_value_type<T>(), values.size());
    append(keys_, values.data(), values.size_bytes());
  }
  void add_array(std::string_view key, std::span<const std::string> texts);

  // dims outermost first, as in Weight; the data is borrowed until the file is written and must be
  // matrix_bytes long.
  void add_tensor(std::string name, Dtype dtype, std::vector<int64_t> dims,
                  std::span<const std::byte> data);

  // The whole file in memory.
  std::vector<std::byte> bytes() const;

  // Writes beside `path`, flushes and renames, so that no half file ever has the name. Errors:
  // unavailable (with the system's reason).
  Result<Ok> write(const std::string& path) const;

 private:
  struct Tensor {
    std::string name;
    Dtype dtype;
    std::vector<int64_t> dims;
    std::span<const std::byte> data;
  };
  static void append(std::vector<std::byte>& to, const void* from, size_t size);
  static void append(std::vector<std::byte>& to, std::string_view text);  // with its length
  void begin_key(std::string_view key, GgufValue type);
  void begin_array(std::string_view key, GgufValue type, uint64_t count);
  std::vector<std::byte> header() const;  // everything before the data, padded

  int64_t alignment_;
  uint64_t n_keys_ = 0;
  std::vector<std::byte> keys_;
  std::vector<Tensor> tensors_;
};

}  // namespace quern
