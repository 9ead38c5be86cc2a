#include "engine/kv/page_file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/checksum.h"
#include "base/file_writer.h"
#include "formats/byte_cursor.h"

namespace quern {
namespace {

constexpr std::string_view kMagic = "QUERNKVP";
constexpr int64_t kPreamble = 32;  // magic, version, 0, header_bytes, checksum
constexpr int64_t kAlign = 64;
constexpr int64_t kMostPageTokens = 1 << 20;
constexpr int64_t kMostPageBytes = int64_t{1} << 40;
constexpr uint64_t kMostParts = kMaxCacheGroups + 1;

int64_t aligned(int64_t n) { return (n + kAlign - 1) / kAlign * kAlign; }

void append(std::vector<std::byte>& out, const void* from, size_t n) {
  const auto* bytes = static_cast<const std::byte*>(from);
  out.insert(out.end(), bytes, bytes + n);
}
void append(std::vector<std::byte>& out, uint64_t number) { append(out, &number, sizeof number); }
void append(std::vector<std::byte>& out, const std::string& text) {
  append(out, uint64_t{text.size()});
  append(out, text.data(), text.size());
}

std::vector<std::byte> header_bytes(const PageFileHeader& h, std::span<const uint64_t> checksums) {
  std::vector<std::byte> rest;
  append(rest, h.identity.model);
  append(rest, h.identity.layout);
  append(rest, static_cast<uint64_t>(h.identity.page_tokens));
  append(rest, h.salt);
  append(rest, uint64_t{h.keys.size()});
  append(rest, h.keys.data(), h.keys.size() * sizeof(int32_t));
  append(rest, uint64_t{h.parts.size()});
  for (const PageFileHeader::Part& part : h.parts) {
    append(rest, h.identity.parts[part.index].name);
    append(rest, static_cast<uint64_t>(h.identity.parts[part.index].page_bytes));
    append(rest, static_cast<uint64_t>(part.first_page));
    append(rest, static_cast<uint64_t>(part.n_pages));
  }
  append(rest, checksums.data(), checksums.size_bytes());
  std::vector<std::byte> all;
  append(all, kMagic.data(), kMagic.size());
  append(all, uint64_t{kPageFileVersion});  // and the zero behind it
  append(all, uint64_t{kPreamble + rest.size()});
  append(all, checksum(rest));
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

// A count of what takes `bytes` each of what is left; false where it cannot be.
bool read_count(ByteCursor& cursor, uint64_t bytes, uint64_t& n) {
  return cursor.read(n) && n <= cursor.remaining() / bytes;
}

}  // namespace

PageIdentity page_identity(std::string model, const Executor& executor) {
  PageIdentity identity{std::move(model), executor.page_layout(), executor.page_tokens(), {}};
  for (const CacheGroup& group : executor.groups())
    identity.parts.push_back({group.name, group.page_bytes});
  if (executor.states().n_slots > 0)
    identity.parts.push_back({"state", executor.states().slot_bytes});
  return identity;
}

int64_t PageFileHeader::n_pages() const {
  int64_t n = 0;
  for (const Part& part : parts) n += part.n_pages;
  return n;
}

Error PageFile::damage(const std::string& what) const {
  return {Code::corrupt, "a file of keys and values is damaged: " + what, path_, "delete it"};
}

Result<PageFile> PageFile::open(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (status.type() == fs::file_type::not_found) {
    return Error{Code::not_found, "no such file", path, ""};
  }
  if (!fs::is_regular_file(status)) return Error{Code::invalid_argument, "no plain file", path, ""};
  const auto file_bytes = static_cast<int64_t>(fs::file_size(path, failed));
  PageFile file;
  file.path_ = path;
  file.file_.open(path, std::ios::binary);
  if (failed || !file.file_) return Error{Code::unavailable, "cannot read the file", path, ""};
  std::byte preamble[kPreamble] = {};
  if (!file.file_.read(reinterpret_cast<char*>(preamble), kPreamble)) {
    return file.damage("it has " + std::to_string(file_bytes) + " bytes");
  }
  if (std::memcmp(preamble, kMagic.data(), kMagic.size()) != 0)
    return file.damage("its first bytes");
  ByteCursor cursor{std::span<const std::byte>(preamble).subspan(kMagic.size())};
  uint64_t version = 0, size = 0, sum = 0;
  (void)(cursor.read(version) && cursor.read(size) && cursor.read(sum));
  if (version != kPageFileVersion) {
    return Error{Code::unsupported,
                 "a file of keys and values has version " + std::to_string(version) +
                     ", this program reads version " + std::to_string(kPageFileVersion),
                 path, "delete it"};
  }
  if (size < kPreamble || size > static_cast<uint64_t>(file_bytes)) return file.damage("its size");
  std::vector<std::byte> rest(size - kPreamble);
  if (!file.file_.read(reinterpret_cast<char*>(rest.data()), std::ssize(rest)) ||
      checksum(rest) != sum) {
    return file.damage("its header");
  }
  TRY_OK(file.parse(rest, static_cast<int64_t>(size), file_bytes));
  return file;
}

// The file's own parts become those of its identity.
Result<> PageFile::parse(std::span<const std::byte> bytes, int64_t header_bytes,
                         int64_t file_bytes) {
  ByteCursor cursor(bytes);
  std::string_view model, layout, salt;
  uint64_t page_tokens = 0, n_keys = 0, n_parts = 0;
  if (!cursor.read(model) || !cursor.read(layout) || !cursor.read(page_tokens) ||
      !cursor.read(salt)) {
    return damage("its header");
  }
  if (page_tokens == 0 || page_tokens > kMostPageTokens) return damage("the size of a page");
  if (!read_count(cursor, sizeof(int32_t), n_keys) || n_keys > INT32_MAX) {
    return damage("the number of keys");
  }
  header_ = {{std::string(model), std::string(layout), static_cast<int64_t>(page_tokens), {}},
             std::string(salt),
             std::vector<int32_t>(n_keys),
             {}};
  for (int32_t& key : header_.keys) (void)cursor.read(key);  // counted above
  if (!cursor.read(n_parts) || n_parts > kMostParts) return damage("the number of parts");
  data_at_ = aligned(header_bytes);
  int64_t left = file_bytes - data_at_;
  for (uint64_t i = 0; i < n_parts; ++i) TRY_OK(parse_part(cursor, left));
  checksums_.resize(header_.n_pages());
  for (uint64_t& sum : checksums_)
    if (!cursor.read(sum)) return damage("its checksums");
  if (cursor.remaining() != 0 || left != 0) return damage("its length");
  return Ok{};
}

// left: bytes of the file that no part has claimed so far.
Result<> PageFile::parse_part(ByteCursor& cursor, int64_t& left) {
  std::string_view name;
  uint64_t page_bytes = 0, first = 0, n = 0;
  if (!cursor.read(name) || !cursor.read(page_bytes) || !cursor.read(first) || !cursor.read(n)) {
    return damage("its parts");
  }
  if (page_bytes == 0 || page_bytes > kMostPageBytes) return damage("the size of a page");
  if (left < 0 || first > INT32_MAX || n > static_cast<uint64_t>(left) / page_bytes) {
    return damage("the number of pages");
  }
  left -= static_cast<int64_t>(n * page_bytes);
  auto& all = header_.identity.parts;
  all.push_back({std::string(name), static_cast<int64_t>(page_bytes)});
  header_.parts.push_back(
      {static_cast<int>(all.size()) - 1, static_cast<int64_t>(first), static_cast<int64_t>(n)});
  return Ok{};
}

Result<> PageFile::check_identity(const PageIdentity& wanted) {
  const PageIdentity has = std::exchange(header_.identity, wanted);
  const auto differ = [&](const std::string& what) {
    return Error{Code::unsupported, "keys and values of " + what, path_, ""};
  };
  if (has.model != wanted.model) return differ("another model");
  const Error other_layout =
      differ("'" + has.layout + "', the model runs with '" + wanted.layout + "'");
  if (has.layout != wanted.layout || has.page_tokens != wanted.page_tokens) return other_layout;
  int least = 0;
  for (PageFileHeader::Part& part : header_.parts) {
    const auto at =
        std::find(wanted.parts.begin() + least, wanted.parts.end(), has.parts[part.index]);
    if (at == wanted.parts.end()) return other_layout;
    part.index = static_cast<int>(at - wanted.parts.begin());
    least = part.index + 1;
  }
  return Ok{};
}

Result<> PageFile::read_page(size_t part, int64_t i, std::span<std::byte> to) {
  CHECK(part < header_.parts.size() && i >= 0 && i < header_.parts[part].n_pages,
        "a page of the file");
  int64_t at = data_at_, n_before = 0;
  for (size_t other = 0; other < part; ++other) {
    const PageFileHeader::Part& before = header_.parts[other];
    at += before.n_pages * header_.identity.parts[before.index].page_bytes;
    n_before += before.n_pages;
  }
  CHECK(std::ssize(to) == header_.identity.parts[header_.parts[part].index].page_bytes,
        "room for one page");
  file_.clear();
  file_.seekg(at + i * std::ssize(to));
  if (!file_.read(reinterpret_cast<char*>(to.data()), std::ssize(to)) ||
      checksum(to) != checksums_[n_before + i]) {
    return damage("page " + std::to_string(i));
  }
  return Ok{};
}

namespace {

int64_t data_at(const PageFileHeader& header) {
  const std::vector<uint64_t> checksums(header.n_pages());
  return aligned(std::ssize(header_bytes(header, checksums)));
}

}  // namespace

int64_t page_file_bytes(const PageFileHeader& header) {
  int64_t bytes = data_at(header);
  for (const PageFileHeader::Part& part : header.parts)
    bytes += part.n_pages * header.identity.parts[part.index].page_bytes;
  return bytes;
}

Result<> write_page_file(
    const std::string& path, const PageFileHeader& header,
    const std::function<void(size_t, int64_t, std::span<std::byte>)>& read_page) {
  std::vector<uint64_t> checksums;
  TRY(FileWriter file, FileWriter::create(path));
  int64_t at = data_at(header);
  std::vector<std::byte> page;
  for (size_t part = 0; part < header.parts.size(); ++part) {
    page.resize(header.identity.parts[header.parts[part].index].page_bytes);
    for (int64_t i = 0; i < header.parts[part].n_pages; ++i, at += std::ssize(page)) {
      read_page(part, i, page);
      checksums.push_back(checksum(page));
      TRY_OK(file.write(at, page));
    }
  }
  std::vector<std::byte> all = header_bytes(header, checksums);
  all.resize(data_at(header));  // a file without pages ends here
  TRY_OK(file.write(0, all));
  return file.finish();
}

}  // namespace quern
