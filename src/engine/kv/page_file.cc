#include "engine/kv/page_file.h"

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
  append(rest, static_cast<uint64_t>(h.identity.page_bytes));
  append(rest, h.salt);
  append(rest, uint64_t{h.keys.size()});
  append(rest, h.keys.data(), h.keys.size() * sizeof(int32_t));
  append(rest, static_cast<uint64_t>(h.first_page));
  append(rest, uint64_t{checksums.size()});
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
  return {std::move(model), executor.page_layout(), executor.page_tokens(),
          executor.groups()[0].page_bytes};
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

Result<> PageFile::parse(std::span<const std::byte> bytes, int64_t header_bytes,
                         int64_t file_bytes) {
  ByteCursor cursor(bytes);
  std::string_view model, layout, salt;
  uint64_t page_tokens = 0, page_bytes = 0, n_keys = 0, first_page = 0, n_pages = 0;
  if (!cursor.read(model) || !cursor.read(layout) || !cursor.read(page_tokens) ||
      !cursor.read(page_bytes) || !cursor.read(salt)) {
    return damage("its header");
  }
  if (page_tokens == 0 || page_tokens > kMostPageTokens || page_bytes == 0 ||
      page_bytes > INT64_MAX / 2) {
    return damage("the size of a page");
  }
  if (!read_count(cursor, sizeof(int32_t), n_keys) || n_keys > INT32_MAX) {
    return damage("the number of keys");
  }
  header_ = {{std::string(model), std::string(layout), static_cast<int64_t>(page_tokens),
              static_cast<int64_t>(page_bytes)},
             std::string(salt),
             std::vector<int32_t>(n_keys),
             0};
  for (int32_t& key : header_.keys) (void)cursor.read(key);  // counted above
  const auto all_pages = static_cast<uint64_t>(header_.n_pages());
  if (!cursor.read(first_page) || !read_count(cursor, sizeof(uint64_t), n_pages) ||
      first_page > all_pages || n_pages != all_pages - first_page) {
    return damage("the number of pages");
  }
  header_.first_page = static_cast<int64_t>(first_page);
  checksums_.resize(n_pages);
  for (uint64_t& sum : checksums_) (void)cursor.read(sum);
  data_at_ = aligned(header_bytes);
  const int64_t room = file_bytes - data_at_;
  if (cursor.remaining() != 0 || room < 0 || n_pages > static_cast<uint64_t>(room) / page_bytes ||
      n_pages * page_bytes != static_cast<uint64_t>(room)) {
    return damage("its length");
  }
  return Ok{};
}

Result<> PageFile::check_identity(const PageIdentity& wanted) const {
  const PageIdentity& has = header_.identity;
  if (has == wanted) return Ok{};
  const auto differ = [&](const std::string& what) {
    return Error{Code::unsupported, "keys and values of " + what, path_, ""};
  };
  if (has.model != wanted.model) return differ("another model");
  return differ("'" + has.layout + "', the model runs with '" + wanted.layout + "'");
}

Result<> PageFile::read_page(int64_t i, std::span<std::byte> to) {
  CHECK(i >= 0 && i < std::ssize(checksums_), "a page of the file");
  CHECK(std::ssize(to) == header_.identity.page_bytes, "room for one page");
  file_.clear();
  file_.seekg(data_at_ + i * header_.identity.page_bytes);
  if (!file_.read(reinterpret_cast<char*>(to.data()), std::ssize(to)) ||
      checksum(to) != checksums_[i]) {
    return damage("page " + std::to_string(i));
  }
  return Ok{};
}

int64_t page_file_bytes(const PageFileHeader& header) {
  const std::vector<uint64_t> checksums(header.n_pages());
  return aligned(std::ssize(header_bytes(header, checksums))) +
         header.n_pages() * header.identity.page_bytes;
}

Result<> write_page_file(const std::string& path, const PageFileHeader& header,
                         const std::function<void(int64_t, std::span<std::byte>)>& read_page) {
  std::vector<uint64_t> checksums(header.n_pages());
  const int64_t data_at = page_file_bytes(header) - header.n_pages() * header.identity.page_bytes;
  TRY(FileWriter file, FileWriter::create(path));
  std::vector<std::byte> page(header.identity.page_bytes);
  for (int64_t i = 0; i < header.n_pages(); ++i) {
    read_page(i, page);
    checksums[i] = checksum(page);
    TRY_OK(file.write(data_at + i * header.identity.page_bytes, page));
  }
  std::vector<std::byte> all = header_bytes(header, checksums);
  all.resize(data_at);  // a file without pages ends here
  TRY_OK(file.write(0, all));
  return file.finish();
}

}  // namespace quern
