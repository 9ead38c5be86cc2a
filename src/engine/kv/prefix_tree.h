// The cache of prefixes: pages of keys and values by the tokens they were computed of, so that a
// sequence which begins like an earlier one computes only what is new.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "backend/executor.h"
#include "engine/kv/page_list.h"
#include "engine/kv/pages.h"
#include "engine/kv/prefix_store.h"

namespace quern {

// Whether the last bit of a key, its role, counts.
enum class KeyMatch : uint8_t {
  exact,
  token,  // whatever the last bit; of several that fit equally well, one that fits exactly
};

// A radix tree whose edges are pages: a node is a page with its keys, up to page_tokens of them;
// one with fewer has no children. No node's keys begin the keys of a sibling. Siblings stand in the
// order of their keys, and are found by comparing these: there is no hash that two prefixes could
// share. Salts have trees of their own: what was computed under one is never given to another.
//
// A key is an int32: the token, or whatever else tells rows apart whose keys and values differ. The
// numerics of a row follow from its role, so the tokens of an answer that come back in a later
// prompt differ in the last digits from the same tokens read cold. So the key's last bit is the
// role, and a lookup says whether it counts.
//
// Bounds: a node per page of the pool and its keys; a lookup compares each key with few others
// (binary search among siblings). Nothing recurses. Not thread-safe; called between passes.
//
// Who holds a page of the tree holds all pages before it. So idle pages are given up in the order
// in which they became idle, and the oldest is always a leaf.
class PrefixTree {
 public:
  // most_idle: pages that nobody but the tree holds, at most, after each call. Pool and executor
  // outlive it.
  PrefixTree(PagePool& pool, Executor& executor, int most_idle);

  // Finds the longest cached prefix of `keys`, `most` of them at most, and puts its pages into
  // `table` (empty before). Whole pages are shared; one of which a part fits is copied where the
  // pool has a free or idle page for it. Returns how many keys the table now holds. A sequence that
  // wants logits leaves a token to compute: most = keys.size() - 1. found: the keys of what the
  // table now holds, in other last bits perhaps than those asked for.
  int take(const std::string& salt, std::span<const int32_t> keys, int most, PageTable& table,
           KeyMatch match = KeyMatch::exact, std::vector<int32_t>* found = nullptr);

  // The whole pages among `keys` of a sequence that runs on: others may share them from now on, and
  // `table` can no longer write them. Where the tree has the same already, the table changes over
  // to those pages and its own become free. `table` holds `keys`, computed; it and keep() always
  // get the keys from the sequence's start.
  void share(const std::string& salt, std::span<const int32_t> keys, PageTable& table);
  // As share(), the last page included, and empties the table.
  void keep(const std::string& salt, std::span<const int32_t> keys, PageTable& table);

  // From now on take() goes on with what is on disk, where the tree ends, and save() puts there
  // what is new. Null: no disk. The store outlives its use.
  void use(PrefixStore* store) { store_ = store; }
  // Hands `most` pages to the store, or as many as it takes without anybody waiting; how many. Each
  // costs a copy of its bytes: one a step is little.
  int save(int most);
  // Hands over all, waiting for the disk: at the end of a program.
  void save_all();

  // Makes the page that has been idle for the longest time free; false: none is idle.
  bool evict_one();
  // Makes idle pages free until n_free are; false: there are not so many.
  bool make_room(int n_free);
  int n_evictable() const { return pool_.n_idle(); }
  int n_pages() const { return n_pages_; }  // held by the tree, alone or with others

  // Forgets what it knows. Sequences keep their pages.
  void clear(const std::string& salt);
  void clear();

 private:
  using Keys = std::span<const int32_t>;
  using Children = std::vector<int32_t>;  // their pages, in the order of their keys
  using Roots = std::map<std::string, Children>;
  using Root = Roots::value_type;
  struct Node {
    std::vector<int32_t> keys;
    int32_t parent = -1;   // its page; -1: it has none
    Root* root = nullptr;  // null: the page is not in the tree
    Children children;
  };
  struct Match {
    int32_t page = -1;
    int n_keys = 0;
  };

  Children& siblings(const Node& node) {
    return node.parent < 0 ? node.root->second : nodes_[node.parent].children;
  }
  Children::const_iterator lower_bound(const Children& children, Keys keys) const;
  int32_t beginning_with(const Children& children, Keys keys) const;
  Match longest(const Children& children, Keys keys) const;
  Match longest_by_token(const Children& children, Keys keys) const;
  void take_whole(const std::string& salt, Keys keys, KeyMatch match, PageTable& table,
                  std::vector<int32_t>& held) const;
  void load(const std::string& salt, Keys keys, KeyMatch match, PageTable& table,
            std::vector<int32_t>& held);
  bool copy(int32_t page, PageTable& table);
  void insert(const std::string& salt, Keys keys, PageTable& table);
  void add(Root& root, int32_t parent, int32_t page, Keys keys);
  void remove(int32_t page);
  void drop_if_empty(const Root& root);
  void forget_all(Root& root);
  void trim();

  PagePool& pool_;
  Executor& executor_;
  const int page_tokens_;
  const int most_idle_;
  PrefixStore* store_ = nullptr;
  int n_pages_ = 0;
  PageList unsaved_;         // whole pages that were not handed to a store
  std::vector<Node> nodes_;  // by page
  Roots roots_;              // of salts that have something
};

}  // namespace quern
