#include "backend/packed_file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/checksum.h"
#include "base/file_writer.h"
#include "formats/byte_cursor.h"

namespace quern {
namespace {

constexpr char kMagic[] = {'Q', 'U', 'E', 'R', 'N', 'P', 'A', 'K'};
constexpr size_t kFixedBytes = 32;  // before what the header's checksum is of
constexpr int64_t kLargePage = 2 << 20, kSmallPage = 4096, kAlign = 64;

int64_t aligned(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

Error damaged(const std::string& name, const std::string& what) {
  return {Code::corrupt, what, name, "delete the file: it is made again"};
}

const Dtype* find_dtype(std::string_view name) {
  static constexpr auto kAll = [] {
    std::array<Dtype, static_cast<size_t>(Dtype::count)> all{};
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Dtype>(i);
    return all;
  }();
  const auto at = std::ranges::find(kAll, name, [](Dtype d) { return info(d).name; });
  return at == kAll.end() ? nullptr : &*at;
}

// The header's bytes, checked as a whole.
Result<std::span<const std::byte>> checked_header(std::span<const std::byte> bytes,
                                                  const std::string& name) {
  ByteCursor cursor(bytes);
  char magic[sizeof kMagic];
  uint32_t version = 0, zero = 0;
  uint64_t header_bytes = 0, sum = 0;
  bool whole = true;
  for (char& c : magic) whole = whole && cursor.read(c);
  whole = whole && cursor.read(version) && cursor.read(zero) && cursor.read(header_bytes) &&
          cursor.read(sum);
  if (!whole || std::memcmp(magic, kMagic, sizeof magic) != 0)
    return damaged(name, "no file of packed weights");
  if (version != kPackedVersion)
    return Error{Code::unsupported, "packed weights of version " + std::to_string(version), name,
                 "delete the file: it is made again"};
  if (zero != 0 || header_bytes < kFixedBytes || header_bytes > bytes.size())
    return damaged(name, "packed weights with a header that is no header");
  const auto rest = bytes.first(header_bytes).subspan(kFixedBytes);
  if (checksum(rest) != sum) return damaged(name, "packed weights with a damaged header");
  return rest;
}

struct Bounds {
  uint64_t data_at = 0, data_bytes = 0, n_matrices = 0;
};

bool read_entry(ByteCursor& cursor, std::span<const std::byte> data, PackedEntry& entry) {
  std::string_view name, dtype;
  uint64_t n_out = 0, n_in = 0, offset = 0, n_bytes = 0;
  if (!cursor.read(name) || !cursor.read(dtype) || !cursor.read(n_out) || !cursor.read(n_in) ||
      !cursor.read(offset) || !cursor.read(n_bytes) || !cursor.read(entry.checksum))
    return false;
  const Dtype* found = find_dtype(dtype);
  if (!found || n_out > INT64_MAX || n_in > INT64_MAX || offset % kAlign != 0 ||
      offset > data.size() || n_bytes > data.size() - offset)
    return false;
  entry.name = name;
  entry.dtype = *found;
  entry.n_out = static_cast<int64_t>(n_out);
  entry.n_in = static_cast<int64_t>(n_in);
  entry.data = data.subspan(offset, n_bytes);
  return true;
}

}  // namespace

Result<PackedContents> parse_packed(std::span<const std::byte> bytes, const std::string& name) {
  TRY(const auto header, checked_header(bytes, name));
  ByteCursor cursor(header);
  std::string_view key, source;
  Bounds bounds;
  const bool whole = cursor.read(key) && cursor.read(source) && cursor.read(bounds.data_at) &&
                     cursor.read(bounds.data_bytes) && cursor.read(bounds.n_matrices);
  if (!whole || bounds.data_at < kFixedBytes + header.size() || bounds.data_at % kAlign != 0 ||
      bounds.data_at > bytes.size() || bounds.data_bytes != bytes.size() - bounds.data_at)
    return damaged(name, "packed weights of another length than their header says");
  PackedContents contents = {.key = std::string(key), .source = std::string(source)};
  const auto data = bytes.subspan(bounds.data_at);
  for (uint64_t i = 0; i < bounds.n_matrices; ++i) {
    PackedEntry entry;
    if (!read_entry(cursor, data, entry))
      return damaged(name, "packed weights whose matrix " + std::to_string(i) + " lies outside");
    contents.matrices.push_back(std::move(entry));
  }
  if (cursor.remaining() != 0) return damaged(name, "packed weights with a header too long");
  return contents;
}

Result<PackedFile> PackedFile::open(const std::string& path) {
  TRY(MappedFile map, MappedFile::open(path));
  TRY(PackedContents contents, parse_packed(map.bytes(), path));
  return PackedFile{std::move(map), std::move(contents)};
}

const PackedEntry* PackedFile::find(const std::string& name) const {
  const auto at = std::ranges::find(contents.matrices, name, &PackedEntry::name);
  return at == contents.matrices.end() ? nullptr : &*at;
}

Result<> PackedFile::check_data() const {
  for (const PackedEntry& entry : contents.matrices)
    if (checksum(entry.data) != entry.checksum)
      return damaged(map.path(), "packed weights of " + entry.name + " are damaged");
  return Ok{};
}

namespace {

class HeaderWriter {
 public:
  void number(uint64_t value) { append(&value, sizeof value); }
  void text(std::string_view value) {
    number(value.size());
    append(value.data(), value.size());
  }
  // With the fixed part before it.
  std::vector<std::byte> finish() {
    const uint64_t rest[] = {kPackedVersion, kFixedBytes + bytes_.size(), checksum(bytes_)};
    std::vector<std::byte> whole(kFixedBytes);
    std::memcpy(whole.data(), kMagic, sizeof kMagic);
    std::memcpy(whole.data() + sizeof kMagic, rest, sizeof rest);
    static_assert(sizeof kMagic + sizeof rest == kFixedBytes);
    whole.insert(whole.end(), bytes_.begin(), bytes_.end());
    return whole;
  }

 private:
  void append(const void* from, size_t n) {
    const auto* bytes = static_cast<const std::byte*>(from);
    bytes_.insert(bytes_.end(), bytes, bytes + n);
  }
  std::vector<std::byte> bytes_;
};

// Offsets from the data's begin on, and the data's length behind them.
std::vector<int64_t> offsets_of(const PackedContents& contents) {
  std::vector<int64_t> offsets{0};
  for (const PackedEntry& entry : contents.matrices)
    offsets.push_back(aligned(offsets.back() + std::ssize(entry.data), kAlign));
  return offsets;
}

std::vector<std::byte> header_of(const PackedContents& contents,
                                 const std::vector<int64_t>& offsets,
                                 const std::vector<uint64_t>& sums, int64_t data_at) {
  HeaderWriter header;
  header.text(contents.key);
  header.text(contents.source);
  header.number(data_at);
  header.number(offsets.back());
  header.number(contents.matrices.size());
  for (size_t i = 0; i < contents.matrices.size(); ++i) {
    const PackedEntry& entry = contents.matrices[i];
    header.text(entry.name);
    header.text(info(entry.dtype).name);
    for (const int64_t number : {entry.n_out, entry.n_in, offsets[i], std::ssize(entry.data)})
      header.number(number);
    header.number(sums.empty() ? 0 : sums[i]);
  }
  return header.finish();
}

// Gathers matrices and the padding between them into pieces that begin at multiples of their
// length: systems that keep files in large pages do so where whole ones are written.
class PieceWriter {
 public:
  PieceWriter(FileWriter& file, int64_t at) : file_(file), at_(at), piece_(kPiece) {}

  Result<> append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const size_t n = std::min(bytes.size(), piece_.size() - filled_);
      std::memcpy(piece_.data() + filled_, bytes.data(), n);
      bytes = bytes.subspan(n);
      filled_ += n;
      if (filled_ == piece_.size()) TRY_OK(flush());
    }
    return Ok{};
  }
  Result<> flush() {
    TRY_OK(file_.write(at_, std::span(piece_).first(filled_)));
    at_ += static_cast<int64_t>(filled_);
    filled_ = 0;
    return Ok{};
  }

  static constexpr size_t kPiece = 4 * kLargePage;

 private:
  FileWriter& file_;
  int64_t at_;
  std::vector<std::byte> piece_;
  size_t filled_ = 0;
};

}  // namespace

Result<> write_packed(const std::string& path, const PackedContents& contents,
                      const std::function<bool(double done)>& keep_going) {
  constexpr std::byte kZeros[kAlign] = {};
  const std::vector<int64_t> offsets = offsets_of(contents);
  const int64_t data_bytes = offsets.back();
  const int64_t header_bytes = std::ssize(header_of(contents, offsets, {}, 0));
  const int64_t data_at = aligned(header_bytes, data_bytes < kLargePage ? kSmallPage : kLargePage);
  TRY(FileWriter file, FileWriter::create(path));
  PieceWriter pieces(file, data_at);
  std::vector<uint64_t> sums;
  for (size_t i = 0; i < contents.matrices.size(); ++i) {
    const std::span<const std::byte> data = contents.matrices[i].data;
    for (size_t at = 0; at < data.size(); at += PieceWriter::kPiece) {
      const double written = static_cast<double>(offsets[i] + static_cast<int64_t>(at));
      if (!keep_going(written / static_cast<double>(data_bytes)))
        return Error{Code::cancelled, "not written", path, ""};
      TRY_OK(pieces.append(data.subspan(at, std::min(PieceWriter::kPiece, data.size() - at))));
    }
    TRY_OK(pieces.append(std::span(kZeros).first(offsets[i + 1] - offsets[i] - data.size())));
    sums.push_back(checksum(data));
  }
  TRY_OK(pieces.flush());
  TRY_OK(file.write(0, header_of(contents, offsets, sums, data_at)));
  return file.finish();
}

}  // namespace quern
