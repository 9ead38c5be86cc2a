// The cache of prefixes: pages of keys and values, and recurrent states, by the tokens they were
// computed of, so that a sequence which begins like an earlier one computes only what is new.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "backend/executor.h"
#include "engine/kv/embedding_rows.h"
#include "engine/kv/page_list.h"
#include "engine/kv/pages.h"
#include "engine/kv/prefix_store.h"

namespace quern {

// Whether the last bit of a key, its role, counts.
enum class KeyMatch : uint8_t {
  exact,
  token,  // whatever the last bit; of several that fit equally well, one that fits exactly
};

// A radix tree whose edges are pages: a node is up to page_tokens keys with a page of each group
// that was computed of them; one with fewer keys has no children. No node's keys begin the keys of
// a sibling. Siblings stand in the order of their keys, and are found by comparing these: there is
// no hash that two prefixes could share. Salts have trees of their own: what was computed under one
// is never given to another.
//
// A key is an int32: the token, or whatever else tells rows apart whose keys and values differ. The
// numerics of a row follow from its role, so the tokens of an answer that come back in a later
// prompt differ in the last digits from the same tokens read cold. So the key's last bit is the
// role, and a lookup says whether it counts.
//
// What a prefix needs to be used: in groups without a window every page; in one with a window the
// pages that the next row sees, so a node may have lost its page there; in a recurrent model a
// checkpoint of the state at exactly its end, which only whole pages have.
//
// Bounds: a node per page and its keys (in a model without unlimited groups, as many nodes as lead
// to one that has something); a lookup compares each key with few others (binary search among
// siblings). Nothing recurses. Not thread-safe; called between passes.
//
// Who holds a page of an unlimited group holds all pages before it. So its idle pages are given up
// in the order in which they became idle, the oldest is always a leaf, and its node goes with it.
class PrefixTree {
 public:
  // max_idle: pages of each group that nobody but the tree holds, at most, after each call.
  // checkpoint_bytes: of all checkpoints; those used last stay. Pools and executor outlive it.
  PrefixTree(CachePools& pools, Executor& executor, int max_idle, int64_t checkpoint_bytes = 0);

  // Finds the longest cached prefix of `keys`, `most` of them at most, and puts its pages into
  // `table` (empty before). Whole pages are shared; one of which a part fits is copied where the
  // pools have free or idle pages for it. Returns how many keys the table now holds. A sequence
  // that wants logits leaves a token to compute: most = keys.size() - 1. found: the keys of what
  // the table now holds, in other last bits perhaps than those asked for.
  int take(const std::string& salt, std::span<const int32_t> keys, int most, PageTable& table,
           KeyMatch match = KeyMatch::exact, std::vector<int32_t>* found = nullptr);

  // The whole pages among `keys` of a sequence that runs on: others may share them from now on, and
  // `table` can no longer write them. Where the tree has the same already, the table changes over
  // to those pages and its own become free. `table` holds `keys`, computed; it and keep() always
  // get the keys from the sequence's start. state: after all `keys`, which are whole pages then;
  // null: none.
  void share(const std::string& salt, std::span<const int32_t> keys, PageTable& table,
             StateBytes state = nullptr);
  // As share(), the last page included, and empties the table. state: after the first n_state keys.
  void keep(const std::string& salt, std::span<const int32_t> keys, PageTable& table,
            StateBytes state = nullptr, int n_state = 0);

  // From now on take() goes on with what is on disk, where the tree ends, and save() puts there
  // what is new. Null: no disk. The store outlives its use.
  void use(PrefixStore* store) { store_ = store; }
  // Who knows the rows of embeddings among the keys; they outlive the tree. Pages behind them do
  // not go to the store, since their numbers mean nothing elsewhere.
  void use(EmbeddingRows* rows) { rows_ = rows; }
  // Hands `most` pages to the store, or as many as it takes without anybody waiting, and what else
  // the last one's node has (the pages of other groups, a checkpoint); how many. Each costs a copy
  // of its bytes: one a step is little.
  int save(int most);
  // Hands over all, waiting for the disk: at the end of a program.
  void save_all();

  // Makes the group's page that has been idle for the longest time free; false: none is idle.
  bool evict_one(int group = 0);
  // Makes idle pages free until n_free of each group are; false: there are not so many.
  bool make_room(int n_free);
  bool make_room(int group, int n_free);  // of one group
  CachePools& pools() { return pools_; }
  int n_evictable(int group = 0) const { return pools_[group].n_idle(); }
  int n_pages() const { return n_pages_; }  // of all groups, held by the tree, alone or with others
  int64_t checkpoint_bytes() const { return n_checkpoint_bytes_; }

  // Forgets what it knows. Sequences keep their pages.
  void clear(const std::string& salt);
  void clear();

 private:
  using Keys = std::span<const int32_t>;
  using Children = std::vector<int32_t>;  // nodes, in the order of their keys
  using Roots = std::map<std::string, Children>;
  using Root = Roots::value_type;
  struct Node {
    std::vector<int32_t> keys;
    int32_t parent = -1;   // -1: it has none
    Root* root = nullptr;  // null: not in use
    Children children;
    PageRow pages = no_pages();
    StateBytes state;  // after its keys; null: none
  };
  struct Match {
    int32_t node = -1;
    int n_keys = 0;
  };

  // ---- looking up
  Children& siblings(const Node& node) {
    return node.parent < 0 ? node.root->second : nodes_[node.parent].children;
  }
  Children::const_iterator lower_bound(const Children& children, Keys keys) const;
  int32_t beginning_with(const Children& children, Keys keys) const;
  Match longest(const Children& children, Keys keys, KeyMatch match) const;
  Match longest_by_token(const Children& children, Keys keys) const;
  void take_whole(const std::string& salt, Keys keys, KeyMatch match, std::vector<int32_t>& path,
                  std::vector<int32_t>& held) const;
  bool sees_all(std::span<const int32_t> path, int n_keys) const;
  bool take_part(const std::string& salt, Keys keys, KeyMatch match, std::span<const int32_t> path,
                 PageTable& table, std::vector<int32_t>& held);
  void restore(std::span<const int32_t> path, PageTable& table);
  void cut_to_usable(std::span<const int32_t> path, PageTable& table, std::vector<int32_t>& held);
  bool copy(const PageRow& pages, PageTable& table);

  // ---- from and to the disk (prefix_disk.cc)
  void load(const std::string& salt, Keys keys, KeyMatch match, PageTable& table,
            std::vector<int32_t>& path, std::vector<int32_t>& held);
  int n_on_disk(std::span<const uint64_t> names) const;
  bool read_node(uint64_t name, const std::string& salt, Keys held, std::vector<int32_t>& keys,
                 bool exact, int n_keys, bool last, PageRow& pages, StateBytes& state);
  bool save_node(int32_t node, int& n_saved);

  // ---- growing and giving up
  std::vector<int32_t> insert(const std::string& salt, Keys keys, PageTable& table);
  bool may_add(const PageRow& pages) const;
  int32_t add(Root& root, int32_t parent, const PageRow& pages, Keys keys);
  void adopt(int32_t node, const PageRow& pages);
  void note_unsaved(int32_t node);
  void set_state(int32_t node, StateBytes state);
  void drop_state(int32_t node);
  void drop_page(int32_t node, int group);
  void empty(int32_t node);
  void remove(int32_t node);
  void prune(int32_t node);
  void drop_if_empty(const Root& root);
  void forget_all(Root& root);
  void trim();

  CachePools& pools_;
  Executor& executor_;
  const int page_tokens_;
  const int max_idle_;
  const int64_t max_checkpoint_bytes_;
  PrefixStore* store_ = nullptr;
  EmbeddingRows* rows_ = nullptr;
  int n_pages_ = 0;
  int64_t n_checkpoint_bytes_ = 0;
  int32_t pinned_ = -1;  // a node that is not pruned
  std::vector<Node> nodes_;
  std::vector<int32_t> unused_;               // nodes
  std::vector<std::vector<int32_t>> owners_;  // by group and page: its node
  PageList unsaved_;      // nodes of whole pages that were not handed to a store
  PageList checkpoints_;  // nodes with a state, the one used last at the end
  Roots roots_;           // of salts that have something
};

}  // namespace quern
