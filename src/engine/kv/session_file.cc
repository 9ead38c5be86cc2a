#include "engine/kv/session_file.h"

#include <cstddef>

#include "base/check.h"

namespace quern {

Result<> save_session(const std::string& path, const PageIdentity& identity, const Session& session,
                      std::span<const int32_t> pages, const Executor& executor) {
  const PageFileHeader header = {identity, session.salt, session.keys, 0};
  CHECK(std::ssize(pages) >= header.n_pages(), "pages for all keys");
  return write_page_file(path, header, [&](int64_t i, std::span<std::byte> bytes) {
    executor.read_page(0, pages[i], bytes);
  });
}

Result<Session> restore_session(const std::string& path, const PageIdentity& identity,
                                Executor& executor, PrefixTree& tree, PageTable& table) {
  CHECK(table.pages().empty(), "a session stands at the beginning");
  TRY(PageFile file, PageFile::open(path));
  TRY_OK(file.check_identity(identity));
  const PageFileHeader& header = file.header();
  if (header.first_page != 0) {
    return Error{Code::unsupported, "a page of the cache, not a session", path, ""};
  }
  const int n_keys = static_cast<int>(header.keys.size());
  if (header.n_pages() > executor.groups()[0].n_pages || !tree.make_room(table.missing(n_keys))) {
    return Error{Code::out_of_memory,
                 "a session of " + std::to_string(n_keys) + " tokens needs " +
                     std::to_string(header.n_pages()) + " pages of the cache, too few are free",
                 path, "load the model with a larger context, or try again when requests ended"};
  }
  table.grow(n_keys);
  std::vector<std::byte> page(identity.page_bytes);
  for (int64_t i = 0; i < header.n_pages(); ++i) {
    if (const Result<> outcome = file.read_page(i, page); !outcome) {
      table.shrink(0);
      return outcome.error();
    }
    executor.write_page(0, table.pages()[i], page);
  }
  return Session{header.salt, header.keys};
}

}  // namespace quern
