#include "engine/kept_prefixes.h"

#include <algorithm>
#include <utility>

namespace quern {

void KeptPrefixes::keep(Prefix prefix) {
  prefix.pages.shrink(static_cast<int>(prefix.tokens.size()));
  if (prefix.tokens.empty()) return;
  kept_.push_back(std::move(prefix));
  if (kept_.size() > most_) drop_oldest();
}

int KeptPrefixes::take(std::span<const int32_t> prompt, PageTable& pages) {
  const auto shared = [&](const Prefix& prefix) {
    const auto& tokens = prefix.tokens;
    const auto differ =
        std::mismatch(tokens.begin(), tokens.end(), prompt.begin(), prompt.end() - 1).first;
    return static_cast<int>(differ - tokens.begin());
  };
  const auto best =
      std::max_element(kept_.begin(), kept_.end(),
                       [&](const Prefix& a, const Prefix& b) { return shared(a) < shared(b); });
  if (best == kept_.end()) return 0;
  const int saved = shared(*best);
  const int lost = static_cast<int>(best->tokens.size()) - saved;
  if (saved == 0 || lost > saved) return 0;
  pages = std::move(best->pages);
  pages.shrink(saved);
  kept_.erase(best);
  return saved;
}

bool KeptPrefixes::drop_oldest() {
  if (kept_.empty()) return false;
  kept_.erase(kept_.begin());
  return true;
}

int KeptPrefixes::n_pages() const {
  int n = 0;
  for (const Prefix& prefix : kept_) n += static_cast<int>(prefix.pages.pages().size());
  return n;
}

}  // namespace quern
