// What is cached, in files.
#include "engine/engine.h"
#include "engine/kv/session_file.h"

namespace quern {

Result<int> Engine::save(const std::string& path, std::span<const int32_t> tokens,
                         const std::string& salt) {
  TRY_OK(check_tokens(tokens));
  std::vector<int32_t> keys;
  for (const int32_t token : tokens) keys.push_back(key_of(token, Role::prompt));
  PageTable pages(pools_);
  Session session{.salt = salt, .keys = {}, .state = nullptr};
  const int n = prefixes_.take(salt, keys, static_cast<int>(keys.size()), pages, KeyMatch::token,
                               &session.keys);
  session.state = pages.start;
  const auto outcome =
      save_session(path, page_identity(options_.model, executor_), session, pages, executor_);
  prefixes_.keep(salt, session.keys, pages);
  if (!outcome) return outcome.error();
  return n;
}

Result<std::vector<int32_t>> Engine::restore(const std::string& path) {
  PageTable pages(pools_);
  TRY(const Session session,
      restore_session(path, page_identity(options_.model, executor_), executor_, prefixes_, pages));
  for (const int32_t key : session.keys) {
    if (token_of(key) >= 0 && token_of(key) < executor_.n_vocab()) continue;
    return Error{Code::corrupt,
                 "a session has token " + std::to_string(token_of(key)) + ", the vocabulary " +
                     std::to_string(executor_.n_vocab()),
                 path, "delete it"};
  }
  const int n_state = session.state ? static_cast<int>(session.keys.size()) : 0;
  prefixes_.keep(session.salt, session.keys, pages, session.state, n_state);
  std::vector<int32_t> tokens;
  for (const int32_t key : session.keys) tokens.push_back(token_of(key));
  return tokens;
}

void Engine::store_pages(bool all) {
  if (!options_.store) return;
  all ? prefixes_.save_all() : static_cast<void>(prefixes_.save(INT32_MAX));
}

}  // namespace quern
