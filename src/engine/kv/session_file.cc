#include "engine/kv/session_file.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"

namespace quern {
namespace {

// A session has the pages of every group that rows behind it may read, up to the last.
Result<> check_parts(const PageFileHeader& header, const Executor& executor,
                     const std::string& path) {
  const int64_t n_keys = std::ssize(header.keys), tokens = header.identity.page_tokens;
  const int64_t n_pages = (n_keys + tokens - 1) / tokens;
  const auto groups = executor.groups();
  const size_t n_parts = header.identity.parts.size();
  bool whole =
      header.parts.size() == n_parts || (n_keys == 0 && header.parts.size() == groups.size());
  for (size_t i = 0; i < groups.size() && whole; ++i) {
    const PageFileHeader::Part& part = header.parts[i];
    const int64_t needed = first_position_seen(groups[i].window, static_cast<int>(n_keys)) / tokens;
    whole = part.first_page <= needed && part.first_page + part.n_pages == n_pages;
  }
  // States are taken at the ends of pages.
  if (whole && header.parts.size() > groups.size())
    whole = header.parts.back().n_pages == 1 && n_keys % tokens == 0;
  if (whole) return Ok{};
  return Error{Code::unsupported, "a page of the cache, not a session", path, ""};
}

// The pools have the pages.
Result<> read_pages(PageFile& file, Executor& executor, CachePools& pools, PageTable& table) {
  const auto& parts = file.header().parts;
  std::vector<std::byte> bytes;
  const int n_entries = pools.pages_for(static_cast<int>(file.header().keys.size()));
  for (int i = 0; i < n_entries; ++i) {
    PageRow row = no_pages();
    for (int group = 0; group < pools.n_groups(); ++group)
      if (i >= parts[group].first_page) row[group] = pools[group].take();
    table.add_own(row);
    for (int group = 0; group < pools.n_groups(); ++group) {
      if (row[group] == kAbsentPage) continue;
      bytes.resize(executor.groups()[group].page_bytes);
      TRY_OK(file.read_page(group, i - parts[group].first_page, bytes));
      executor.write_page(group, row[group], bytes);
    }
  }
  return Ok{};
}

Result<> read_state(PageFile& file, const PageIdentity& identity, Session& session) {
  std::vector<std::byte> bytes(identity.parts.back().page_bytes);
  TRY_OK(file.read_page(file.header().parts.size() - 1, 0, bytes));
  session.state = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return Ok{};
}

}  // namespace

Result<> save_session(const std::string& path, const PageIdentity& identity, const Session& session,
                      const PageTable& table, const Executor& executor) {
  PageFileHeader header = {identity, session.salt, session.keys, {}};
  CHECK(table.n_entries() * identity.page_tokens >= std::ssize(session.keys), "pages for all keys");
  for (int group = 0; group < std::ssize(executor.groups()); ++group) {
    const auto pages = table.pages(group);
    const auto first = std::ranges::find_if(pages, [](int32_t p) { return p != kAbsentPage; });
    header.parts.push_back({group, first - pages.begin(), pages.end() - first});
  }
  if (session.state) header.parts.push_back({static_cast<int>(header.parts.size()), 0, 1});
  return write_page_file(path, header, [&](size_t part, int64_t i, std::span<std::byte> bytes) {
    const int group = static_cast<int>(part);
    if (part == executor.groups().size()) {
      std::ranges::copy(*session.state, bytes.begin());
    } else {
      executor.read_page(group, table.pages(group)[header.parts[part].first_page + i], bytes);
    }
  });
}

Result<Session> restore_session(const std::string& path, const PageIdentity& identity,
                                Executor& executor, PrefixTree& tree, PageTable& table) {
  CHECK(table.empty(), "a session stands at the beginning");
  TRY(PageFile file, PageFile::open(path));
  TRY_OK(file.check_identity(identity));
  const PageFileHeader& header = file.header();
  TRY_OK(check_parts(header, executor, path));
  CachePools& pools = tree.pools();
  for (int group = 0; group < pools.n_groups(); ++group) {
    const int64_t n_pages = header.parts[group].n_pages;
    if (n_pages <= pools[group].n_pages() && tree.make_room(group, static_cast<int>(n_pages)))
      continue;
    return Error{Code::out_of_memory,
                 "a session of " + std::to_string(header.keys.size()) + " tokens needs " +
                     std::to_string(n_pages) + " pages of the cache, too few are free",
                 path, "load the model with a larger context, or try again when requests ended"};
  }
  Session session{header.salt, header.keys, nullptr};
  auto outcome = read_pages(file, executor, pools, table);
  if (outcome && header.parts.size() > executor.groups().size())
    outcome = read_state(file, identity, session);
  if (outcome) return session;
  table.shrink(0);
  return outcome.error();
}

}  // namespace quern
