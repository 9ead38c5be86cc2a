#include "engine/kv/prefix_store.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/checksum.h"
#include "base/file_writer.h"
#include "base/threads.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBegin = "kv-", kEnd = ".pages";
constexpr auto kAbandoned = std::chrono::hours(1);  // no writer takes so long

std::string hex(uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

uint64_t checksum_of(std::string_view text) {
  return checksum(std::as_bytes(std::span(text.data(), text.size())));
}

uint64_t default_hash(uint64_t before, std::span<const int32_t> keys) {
  const uint64_t both[] = {before, checksum(std::as_bytes(keys))};
  return checksum(std::as_bytes(std::span(both)));
}

struct Found {
  fs::path path;
  int64_t bytes;
  fs::file_time_type used;
};

// Files of any identity, and what interrupted writers left.
std::vector<Found> list(const std::string& folder) {
  std::vector<Found> all;
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(kBegin)) continue;
    if (!name.ends_with(kEnd) && name.find(FileWriter::kTemporary) == std::string::npos) continue;
    std::error_code gone;
    const auto bytes = static_cast<int64_t>(at->file_size(gone));
    const auto used = at->last_write_time(gone);
    if (!gone) all.push_back({at->path(), bytes, used});
  }
  return all;
}

}  // namespace

PrefixStore::PrefixStore(PrefixStoreOptions options) : options_(std::move(options)) {
  const PageIdentity& identity = options_.identity;
  std::string text = identity.model + '\0' + identity.layout;
  for (const PageIdentity::Part& part : identity.parts)
    text += '\0' + part.name + '\0' + std::to_string(part.page_bytes);
  prefix_ = std::string(kBegin) + hex(checksum_of(text)) + "-";
  if (!options_.hash) options_.hash = default_hash;
  if (!options_.write) {
    options_.write = [](const std::string& path, const PageFileHeader& header,
                        std::span<const std::byte> bytes) {
      return write_page_file(path, header, [&](size_t, int64_t, std::span<std::byte> to) {
        std::copy(bytes.begin(), bytes.end(), to.begin());
      });
    };
  }
  std::error_code failed;
  fs::create_directories(options_.folder, failed);
  scan();
  writer_ = start_thread([this] { return std::thread([this] { run(); }); });
}

PrefixStore::~PrefixStore() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  writer_.join();
}

void PrefixStore::note(const std::string& text) const {
  if (options_.note) options_.note(text);
}

std::string PrefixStore::path(uint64_t name) const {
  return (fs::path(options_.folder) / (prefix_ + hex(name) + std::string(kEnd))).string();
}

// Of this identity's files; nothing for others.
std::optional<uint64_t> PrefixStore::number_of(const std::string& file) const {
  constexpr size_t kDigits = 16;
  if (file.size() != prefix_.size() + kDigits + kEnd.size() || !file.starts_with(prefix_))
    return {};
  const char* const digits = file.data() + prefix_.size();
  uint64_t number = 0;
  if (std::from_chars(digits, digits + kDigits, number, 16).ptr != digits + kDigits) return {};
  return number;
}

void PrefixStore::scan() {
  const auto now = fs::file_time_type::clock::now();
  for (const Found& file : list(options_.folder)) {
    const std::string name = file.path.filename().string();
    std::error_code ignored;
    if (!name.ends_with(kEnd) && now - file.used > kAbandoned) {
      fs::remove(file.path, ignored);
      continue;
    }
    bytes_ += file.bytes;
    if (const auto number = number_of(name)) known_.insert(*number);
  }
}

uint64_t PrefixStore::start(const std::string& salt) const { return checksum_of(salt); }

uint64_t PrefixStore::after(uint64_t name, std::span<const int32_t> keys) const {
  std::vector<int32_t> tokens(keys.begin(), keys.end());
  for (int32_t& token : tokens) token &= ~1;
  return options_.hash(name, tokens);
}

// The name is the first part's.
uint64_t PrefixStore::piece(uint64_t name, int part) const {
  return part == 0 ? name : options_.hash(name, std::span(&part, 1));
}

bool PrefixStore::has(uint64_t name) const {
  const std::lock_guard lock(mutex_);
  return known_.contains(name);
}

bool PrefixStore::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

bool PrefixStore::ready() const {
  const std::lock_guard lock(mutex_);
  return !failed_ && queue_.size() < options_.most_queued;
}

void PrefixStore::forget(uint64_t name) {
  const std::lock_guard lock(mutex_);
  known_.erase(name);
}

// A whole file that does not fit is of other keys whose name is the same.
Result<> PrefixStore::read_file(const std::string& path,
                                const std::function<bool(const PageFileHeader&)>& fits,
                                std::span<std::byte> to, PageFileHeader& header) const {
  TRY(PageFile file, PageFile::open(path));
  TRY_OK(file.check_identity(options_.identity));
  header = file.header();
  return fits(header) ? file.read_page(0, 0, to) : Result<>(Ok{});
}

bool PrefixStore::read(uint64_t name, int part, const std::string& salt,
                       std::span<const int32_t> held, std::vector<int32_t>& keys, bool exact,
                       std::span<std::byte> to) {
  if (!has(name)) return false;
  const auto fits = [&](const PageFileHeader& h) {
    const auto alike = [&](int32_t a, int32_t b) { return a == b || (!exact && (a ^ b) == 1); };
    const std::span<const int32_t> its = h.keys;
    return h.parts.size() == 1 && h.parts[0].index == part && h.parts[0].n_pages == 1 &&
           h.salt == salt && its.size() == held.size() + keys.size() &&
           std::ranges::equal(its.first(held.size()), held) &&
           std::ranges::equal(its.last(keys.size()), keys, alike);
  };
  const std::string file = path(name);
  PageFileHeader header;
  const Result<> outcome = read_file(file, fits, to, header);
  std::error_code ignored;
  if (outcome) {
    if (!fits(header)) return false;
    fs::last_write_time(file, fs::file_time_type::clock::now(), ignored);
    std::copy(header.keys.end() - std::ssize(keys), header.keys.end(), keys.begin());
    return true;
  }
  if (outcome.error().code == Code::not_found) {  // still queued, or another process removed it
    const std::lock_guard lock(mutex_);
    if (!writing_ && queue_.empty()) known_.erase(name);
    return false;
  }
  forget(name);
  note("removed from the cache of prompts: " + to_string(outcome.error()));
  fs::remove(file, ignored);
  return false;
}

bool PrefixStore::write(uint64_t name, int part, std::string salt, std::vector<int32_t> keys,
                        std::vector<std::byte> bytes) {
  const int64_t first_page = std::ssize(keys) / options_.identity.page_tokens - 1;
  {
    const std::lock_guard lock(mutex_);
    if (failed_ || queue_.size() >= options_.most_queued) return false;
    known_.insert(name);
    queue_.push_back(
        {name,
         {options_.identity, std::move(salt), std::move(keys), {{part, first_page, 1}}},
         std::move(bytes)});
  }
  wake_.notify_one();
  return true;
}

void PrefixStore::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return queue_.empty() && !writing_; });
}

// Lists the folder anew: other processes write there too.
void PrefixStore::make_room(int64_t bytes) {
  if (bytes_ + bytes <= options_.most_bytes) return;
  std::vector<Found> all = list(options_.folder);
  std::ranges::sort(all, {}, &Found::used);
  bytes_ = 0;
  for (const Found& file : all) bytes_ += file.bytes;
  for (const Found& file : all) {
    if (bytes_ + bytes <= options_.most_bytes) return;
    std::error_code failed;
    fs::remove(file.path, failed);
    bytes_ -= file.bytes;
    if (const auto number = number_of(file.path.filename().string())) forget(*number);
  }
}

Result<> PrefixStore::write_file(const Page& page) {
  const int64_t bytes = page_file_bytes(page.header);
  if (bytes > options_.most_bytes) {
    return Error{Code::unavailable, "one page takes more than the cache may have", "",
                 "allow more bytes"};
  }
  make_room(bytes);
  TRY_OK(options_.write(path(page.name), page.header, page.bytes));
  bytes_ += bytes;
  return Ok{};
}

void PrefixStore::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Page page = std::move(queue_.front());
    queue_.pop_front();
    writing_ = true;
    const bool skip = failed_;
    lock.unlock();
    const Result<> outcome = skip ? Result<>(Ok{}) : write_file(page);
    if (!outcome) note("prompts are no longer kept on disk: " + to_string(outcome.error()));
    lock.lock();
    writing_ = false;
    if (!outcome || skip) {
      failed_ = true;
      known_.erase(page.name);
    }
    if (queue_.empty()) idle_.notify_all();
  }
}

}  // namespace quern
