#include "api/tokenizer_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/checksum.h"
#include "base/file_writer.h"
#include "formats/byte_cursor.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".tokenizer";
constexpr char kMagic[] = {'Q', 'U', 'E', 'R', 'N', 'T', 'O', 'K'};
constexpr uint32_t kVersion = 1;       // of this file; the tables have their own
constexpr size_t kFixedBytes = 32;     // before what the header's checksum is of
constexpr int64_t kAbandonedS = 3600;  // until a writer's temporary file counts as left over

Error damaged(const std::string& name, const std::string& what) {
  return {Code::corrupt, what, name, "delete the file: it is made again"};
}

void append(std::string& to, uint64_t number) {
  to.append(reinterpret_cast<const char*>(&number), sizeof number);
}
void append(std::string& to, std::string_view text) {
  append(to, text.size());
  to += text;
}

// What of a vocabulary stands in no array.
std::string scalars(const Vocabulary& v) {
  std::string text;
  append(text, v.kind);
  append(text, v.pre);
  for (const int32_t id : {v.bos, v.eos, v.unknown, v.separator, v.padding, v.cls, v.mask})
    append(text, static_cast<uint64_t>(id));
  for (const int8_t flag : {v.add_bos, v.add_eos, v.add_space_prefix, v.remove_extra_whitespaces,
                            v.lowercase, v.strip_accents, v.clean_text, v.handle_chinese_chars})
    append(text, static_cast<uint64_t>(flag));
  append(text, v.tokens.size());
  append(text, v.merges.size());
  return text;
}

std::string header(const std::string& key, const std::string& source,
                   std::span<const std::byte> tables) {
  std::string rest;
  append(rest, key);
  append(rest, source);
  append(rest, tables.size());
  append(rest, checksum(tables));
  std::string all(kMagic, sizeof kMagic);
  append(all, uint64_t{kVersion});  // and u32 0
  append(all, kFixedBytes + rest.size());
  append(all, checksum(std::as_bytes(std::span(rest))));
  return all + rest;
}

bool is_temporary(const std::string& path) {
  return path.find(FileWriter::kTemporary) != std::string::npos;
}

int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string source_of(const std::string& path) {
  if (is_temporary(path)) return "";
  const auto map = MappedFile::open(path);
  if (!map) return "";
  const auto file = parse_tokenizer_file(map->bytes(), path);
  return file ? file->source : "";
}

}  // namespace

Result<TokenizerFile> parse_tokenizer_file(std::span<const std::byte> bytes,
                                           const std::string& name) {
  ByteCursor fixed(bytes);
  char magic[sizeof kMagic];
  uint32_t version = 0, zero = 0;
  uint64_t header_bytes = 0, header_sum = 0;
  bool whole = true;
  for (char& c : magic) whole = whole && fixed.read(c);
  whole = whole && fixed.read(version) && fixed.read(zero) && fixed.read(header_bytes) &&
          fixed.read(header_sum);
  if (!whole || std::memcmp(magic, kMagic, sizeof magic) != 0)
    return damaged(name, "no file of a tokenizer");
  if (version != kVersion)
    return Error{Code::unsupported, "a tokenizer's tables of version " + std::to_string(version),
                 name, "delete the file: it is made again"};
  if (zero != 0 || header_bytes < kFixedBytes || header_bytes > bytes.size() ||
      checksum(bytes.first(header_bytes).subspan(kFixedBytes)) != header_sum)
    return damaged(name, "a tokenizer's tables with a damaged header");
  ByteCursor cursor(bytes.first(header_bytes).subspan(kFixedBytes));
  std::string_view key, source;
  uint64_t data_bytes = 0, data_sum = 0;
  const auto data = bytes.subspan(header_bytes);
  if (!cursor.read(key) || !cursor.read(source) || !cursor.read(data_bytes) ||
      !cursor.read(data_sum) || cursor.remaining() != 0 || data_bytes != data.size())
    return damaged(name, "a tokenizer's tables that are cut short");
  if (checksum(data) != data_sum) return damaged(name, "a tokenizer's tables are damaged");
  return TokenizerFile{std::string(key), std::string(source), data};
}

std::optional<std::string> tokenizer_key(const WeightSource& source, const Vocabulary& v) {
  if (v.tokens.size() < TokenizerCache::kSmallVocabulary) return std::nullopt;
  const auto files = packed_key(source);
  const auto* tokens = source.metadata().get<StringArray>("tokenizer.ggml.tokens");
  if (!files || !tokens || tokens->size() != v.tokens.size()) return std::nullopt;
  const std::string others = scalars(v);
  std::string sums;
  for (const std::span<const std::byte> part :
       {tokens->bytes(), v.merges.bytes(), std::as_bytes(std::span(v.scores)),
        std::as_bytes(std::span(v.types)), std::as_bytes(std::span(v.precompiled_charsmap)),
        std::as_bytes(std::span(others))})
    append(sums, checksum(part));
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(checksum(std::as_bytes(std::span(sums)))));
  return "tokenizer " + std::to_string(kVersion) + "; " + text + "; " + *files;
}

std::string TokenizerCache::path_of(const std::string& key) const {
  char name[17];
  std::snprintf(name, sizeof name, "%016llx",
                static_cast<unsigned long long>(checksum(std::as_bytes(std::span(key)))));
  return folder_ + "/" + name + kSuffix;
}

Result<Tokenizer> TokenizerCache::find(const std::string& key) const {
  TRY(MappedFile map, MappedFile::open(path_of(key)));
  const auto owner = std::make_shared<const MappedFile>(std::move(map));
  TRY(const TokenizerFile file, parse_tokenizer_file(owner->bytes(), owner->path()));
  if (file.key != key)
    return Error{Code::not_found, "the tokenizer of another model", owner->path(), ""};
  auto tokenizer = Tokenizer::from_tables(file.data, owner);
  if (!tokenizer) return damaged(owner->path(), tokenizer.error().what);
  ::utimensat(AT_FDCWD, owner->path().c_str(), nullptr, 0);  // now; only a note
  return tokenizer;
}

void TokenizerCache::make_room(const std::string& source, const std::string& mine) const {
  size_t n_kept = 1;
  for (const CachedFile& file : list()) {
    const bool abandoned = is_temporary(file.path) && now_s() - file.used_s > kAbandonedS;
    const bool unusable = file.source.empty() && !is_temporary(file.path);
    const bool replaced = file.source == source && !source.empty() && file.path != mine;
    std::error_code ignored;
    if (abandoned || unusable || replaced || ++n_kept > kMostFiles) fs::remove(file.path, ignored);
  }
}

Result<> TokenizerCache::store(const std::string& key, const std::string& source,
                               std::span<const std::byte> tables) const {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error)
    return Error{Code::unavailable, "cannot make the folder: " + error.message(), folder_, ""};
  fs::permissions(folder_, fs::perms::owner_all, error);  // others' models are nobody's business
  const std::string path = path_of(key);
  make_room(source, path);
  TRY(FileWriter writer, FileWriter::create(path));
  const std::string before = header(key, source, tables);
  TRY_OK(writer.write(std::ssize(before), tables));
  TRY_OK(writer.write(0, std::as_bytes(std::span(before))));
  return writer.finish();
}

std::vector<CachedFile> TokenizerCache::list() const {
  std::vector<CachedFile> files;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::string path = at->path().string();
    if (path.find(kSuffix) == std::string::npos) continue;
    struct stat status;
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    constexpr int64_t kBlock = 512;
    files.push_back({path, source_of(path), status.st_blocks * kBlock, status.st_mtime});
  }
  std::ranges::sort(files, std::greater{}, &CachedFile::used_s);
  return files;
}

Result<> TokenizerCache::check(const std::string& path) {
  TRY(const MappedFile map, MappedFile::open(path));
  TRY_OK(parse_tokenizer_file(map.bytes(), path));
  return Ok{};
}

Result<int> TokenizerCache::clear() const {
  int n = 0;
  for (const CachedFile& file : list()) {
    std::error_code error;
    n += fs::remove(file.path, error) ? 1 : 0;
    if (error) return Error{Code::unavailable, "cannot delete: " + error.message(), file.path, ""};
  }
  return n;
}

}  // namespace quern
