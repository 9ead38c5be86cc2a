// Fair scheduling between clients: virtual token counters (Sheng et al., "Fairness in Serving Large
// Language Models", OSDI 2024).
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>

namespace quern {

// Rows computed for each client that has requests. A client that arrives or returns starts at the
// lowest counter of the active ones: idle time earns no credit, and a newcomer cannot delay a
// waiting client indefinitely. Not thread-safe.
template <class Client>
class FairShares {
 public:
  void enter(const Client& client) {
    int64_t least = clients_.empty() ? floor_ : INT64_MAX;
    for (const auto& [name, share] : clients_) least = std::min(least, share.served);
    Share& share = clients_.try_emplace(client, Share{least}).first->second;
    ++share.n_requests;
  }
  void leave(const Client& client) {
    const auto at = clients_.find(client);
    if (--at->second.n_requests > 0) return;
    floor_ = std::max(floor_, at->second.served);
    clients_.erase(at);
  }
  void add(const Client& client, int64_t n_rows) { clients_.at(client).served += n_rows; }
  int64_t served(const Client& client) const { return clients_.at(client).served; }

 private:
  struct Share {
    int64_t served;
    int n_requests = 0;
  };
  std::map<Client, Share> clients_;
  int64_t floor_ = 0;
};

}  // namespace quern
