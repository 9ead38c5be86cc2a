// A sequence in a file: its keys, and the pages of what was computed of them. Saved and restored
// between passes, by the thread that runs them.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backend/executor.h"
#include "base/result.h"
#include "engine/kv/page_file.h"
#include "engine/kv/pages.h"
#include "engine/kv/prefix_tree.h"

namespace quern {

struct Session {
  std::string salt;
  std::vector<int32_t> keys;  // with whatever else than the token they were given
  StateBytes state;           // after all keys; null: the model has none, or there are no keys
};

// `table` holds session.keys. Its last page may carry, behind its keys, what an earlier sequence
// left there; it is never attended to, but it is in the file. Errors: unavailable (disk full, no
// folder).
Result<> save_session(const std::string& path, const PageIdentity& identity, const Session& session,
                      const PageTable& table, const Executor& executor);

// Fills `table` (empty before), which nobody shares; idle pages of the tree make room. To let
// requests find it: tree.keep(session.salt, session.keys, table, session.state, keys.size()). After
// an error the table is empty. Errors: as PageFile::open; unsupported (another model, another kind
// of cache); out_of_memory (too few pages).
Result<Session> restore_session(const std::string& path, const PageIdentity& identity,
                                Executor& executor, PrefixTree& tree, PageTable& table);

}  // namespace quern
