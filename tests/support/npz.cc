#include "support/npz.h"

#include <cstring>
#include <string_view>

#include "base/mapped_file.h"

namespace quern::testing {
namespace {

Error bad(const std::string& path, const std::string& what) {
  return {Code::corrupt, what, path, "write it again with the script under tests/reference"};
}

Result<std::vector<std::byte>> read_file(const std::string& path) {
  TRY(const MappedFile file, MappedFile::open(path));
  return std::vector<std::byte>(file.bytes().begin(), file.bytes().end());
}

uint64_t number(std::span<const std::byte> at, int n_bytes) {
  uint64_t value = 0;
  for (int i = 0; i < n_bytes; ++i) value |= std::to_integer<uint64_t>(at[i]) << 8 * i;
  return value;
}

// The value of one key of the header, a Python literal such as
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
std::string_view literal(std::string_view header, std::string_view key, char open, char close) {
  const size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  const size_t begin = header.find(open, at + key.size());
  if (begin == std::string_view::npos) return {};
  const size_t end = header.find(close, begin + 1);
  if (end == std::string_view::npos) return {};
  return header.substr(begin + 1, end - begin - 1);
}

std::vector<int64_t> parse_shape(std::string_view text) {
  std::vector<int64_t> shape;
  int64_t value = -1;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      value = (value < 0 ? 0 : value) * 10 + (c - '0');
    } else if (value >= 0) {
      shape.push_back(value);
      value = -1;
    }
  }
  if (value >= 0) shape.push_back(value);
  return shape;
}

Result<Array> parse_npy(std::span<const std::byte> file, const std::string& path) {
  if (file.size() < 12 || std::memcmp(file.data(), "\x93NUMPY", 6) != 0)
    return bad(path, "not a .npy array");
  const bool v1 = file[6] == std::byte{1};
  const size_t header_at = v1 ? 10 : 12, header_size = number(file.subspan(8), v1 ? 2 : 4);
  if (header_size > file.size() - header_at) return bad(path, "the .npy header is cut off");
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + header_at,
                                header_size);
  if (header.find("'fortran_order': False") == std::string_view::npos)
    return bad(path, "the array is not in C order");
  Array array;
  array.dtype = literal(header, "'descr':", '\'', '\'');
  if (array.dtype.size() < 3 || array.dtype[0] == '>')
    return bad(path, "dtype '" + array.dtype + "' is not a little-endian plain type");
  array.shape = parse_shape(literal(header, "'shape':", '(', ')'));
  const auto data = file.subspan(header_at + header_size);
  const uint64_t width =
      std::stoull(array.dtype.substr(2)) * (array.dtype[1] == 'U' ? 4 : 1);  // U counts UTF-32
  if (static_cast<uint64_t>(array.size()) * width != data.size())
    return bad(path, "the .npy data does not match its shape");
  array.bytes.assign(data.begin(), data.end());
  return array;
}

// One entry of the central directory, where the sizes stand whatever the local header says.
Result<Ok> read_entry(std::span<const std::byte> zip, std::span<const std::byte> entry,
                      const std::string& path, Arrays& arrays) {
  const size_t name_size = number(entry.subspan(28), 2);
  if (entry.size() < 46 + name_size) return bad(path, "the zip directory is cut off");
  std::string name(reinterpret_cast<const char*>(entry.data()) + 46, name_size);
  if (number(entry.subspan(10), 2) != 0)
    return bad(path, "entry " + name + " is compressed: write the file with np.savez");
  const uint64_t size = number(entry.subspan(20), 4), local = number(entry.subspan(42), 4);
  if (local + 30 > zip.size()) return bad(path, "entry " + name + " lies outside the file");
  const uint64_t data =
      local + 30 + number(zip.subspan(local + 26), 2) + number(zip.subspan(local + 28), 2);
  if (data > zip.size() || size > zip.size() - data)
    return bad(path, "entry " + name + " lies outside the file");
  TRY(Array array, parse_npy(zip.subspan(data, size), path + ": " + name));
  if (name.ends_with(".npy")) name.resize(name.size() - 4);
  arrays.emplace(std::move(name), std::move(array));
  return Ok{};
}

}  // namespace

std::string Array::text(int64_t i) const {
  CHECK(dtype.size() >= 3 && i >= 0 && i < size(), "Array::text of something else than strings");
  const size_t n_chars = std::stoull(dtype.substr(2)), width = dtype[1] == 'U' ? 4 : 1;
  const auto element = std::span(bytes).subspan(i * n_chars * width, n_chars * width);
  std::string out;
  for (size_t c = 0; c < n_chars; ++c) {
    const auto code = static_cast<uint32_t>(number(element.subspan(c * width), width));
    if (width == 1 || code < 0x80) {
      out += static_cast<char>(code);
    } else {
      const int extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;  // UTF-8 continuation bytes
      out += static_cast<char>((0xff00 >> (extra + 1) & 0xff) | code >> 6 * extra);
      for (int k = extra - 1; k >= 0; --k) out += static_cast<char>(0x80 | (code >> 6 * k & 63));
    }
  }
  while (!out.empty() && out.back() == '\0') out.pop_back();
  return out;
}

Result<Array> read_npy(const std::string& path) {
  TRY(const auto file, read_file(path));
  return parse_npy(file, path);
}

Result<Arrays> read_npz(const std::string& path) {
  TRY(const auto file, read_file(path));
  const std::span<const std::byte> zip(file);
  if (zip.size() < 22) return bad(path, "not a .npz file");
  size_t end = zip.size() - 22;  // the end record; its comment may follow it
  while (end > 0 && number(zip.subspan(end), 4) != 0x06054b50) --end;
  if (number(zip.subspan(end), 4) != 0x06054b50) return bad(path, "not a .npz file");
  const uint64_t n_entries = number(zip.subspan(end + 10), 2);
  size_t at = number(zip.subspan(end + 16), 4);
  Arrays arrays;
  for (uint64_t i = 0; i < n_entries; ++i) {
    if (at + 46 > zip.size() || number(zip.subspan(at), 4) != 0x02014b50)
      return bad(path, "the zip directory is cut off");
    const auto entry = zip.subspan(at);
    TRY_OK(read_entry(zip, entry, path, arrays));
    at += 46 + number(entry.subspan(28), 2) + number(entry.subspan(30), 2) +
          number(entry.subspan(32), 2);
  }
  return arrays;
}

}  // namespace quern::testing
