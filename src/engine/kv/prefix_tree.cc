#include "engine/kv/prefix_tree.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/check.h"

namespace quern {
namespace {

int n_same(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<int>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// By their tokens.
int n_alike(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto alike = [](int32_t x, int32_t y) { return (x ^ y) >> 1 == 0; };
  const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end(), alike);
  return static_cast<int>(differ.first - a.begin());
}

bool begins_with(std::span<const int32_t> keys, std::span<const int32_t> beginning) {
  return n_same(keys, beginning) == std::ssize(beginning);
}

}  // namespace

PrefixTree::PrefixTree(CachePools& pools, Executor& executor, int max_idle,
                       int64_t checkpoint_bytes)
    : pools_(pools),
      executor_(executor),
      page_tokens_(pools.page_tokens()),
      max_idle_(max_idle),
      max_checkpoint_bytes_(checkpoint_bytes),
      unsaved_(0),
      checkpoints_(0) {
  for (int group = 0; group < pools.n_groups(); ++group)
    owners_.emplace_back(pools[group].n_pages(), -1);
}

PrefixTree::Children::const_iterator PrefixTree::lower_bound(const Children& children,
                                                             Keys keys) const {
  return std::lower_bound(children.begin(), children.end(), keys, [&](int32_t node, Keys wanted) {
    const auto& has = nodes_[node].keys;
    return std::lexicographical_compare(has.begin(), has.end(), wanted.begin(), wanted.end());
  });
}

// What begins with `keys` stands where they would.
int32_t PrefixTree::beginning_with(const Children& children, Keys keys) const {
  const auto at = lower_bound(children, keys);
  return at != children.end() && begins_with(nodes_[*at].keys, keys) ? *at : -1;
}

// One of the two neighbours of where `keys` would stand shares most with them.
PrefixTree::Match PrefixTree::longest(const Children& children, Keys keys, KeyMatch match) const {
  if (match == KeyMatch::token) return longest_by_token(children, keys);
  Match best;
  const auto at = lower_bound(children, keys);
  const auto look = [&](int32_t node) {
    const int n = n_same(nodes_[node].keys, keys);
    if (n > best.n_keys) best = {node, n};
  };
  if (at != children.end()) look(*at);
  if (at != children.begin()) look(*std::prev(at));
  return best;
}

// Those of the first token stand together.
PrefixTree::Match PrefixTree::longest_by_token(const Children& children, Keys keys) const {
  Match best;
  int best_exact = 0;
  const int32_t first = keys[0] & ~1, behind = first + 2;
  const auto end = lower_bound(children, Keys(&behind, 1));
  for (auto at = lower_bound(children, Keys(&first, 1)); at != end; ++at) {
    const int n = n_alike(nodes_[*at].keys, keys), n_exact = n_same(nodes_[*at].keys, keys);
    if (std::pair(n, n_exact) <= std::pair(best.n_keys, best_exact)) continue;
    best = {*at, n};
    best_exact = n_exact;
  }
  return best;
}

int PrefixTree::take(const std::string& salt, Keys keys, int most, PageTable& table, KeyMatch match,
                     std::vector<int32_t>* found) {
  CHECK(table.empty(), "a prefix stands at the beginning");
  if (most <= 0) return 0;
  keys = keys.first(std::min(keys.size(), static_cast<size_t>(most)));
  std::vector<int32_t> path, held;
  take_whole(salt, keys, match, path, held);
  for (const int32_t node : path) table.add_shared(nodes_[node].pages);
  if (store_) load(salt, keys, match, table, path, held);
  if (!take_part(salt, keys, match, path, table, held)) cut_to_usable(path, table, held);
  table.give_back(static_cast<int>(held.size()));
  if (!path.empty()) prune(path.back());
  if (found) found->insert(found->end(), held.begin(), held.end());
  return static_cast<int>(held.size());
}

// The nodes of whole pages that fit, and their keys.
void PrefixTree::take_whole(const std::string& salt, Keys keys, KeyMatch match,
                            std::vector<int32_t>& path, std::vector<int32_t>& held) const {
  const auto root = roots_.find(salt);
  if (root == roots_.end()) return;
  const Children* children = &root->second;
  for (const size_t whole = page_tokens_; keys.size() - held.size() >= whole;) {
    const Match next = longest(*children, keys.subspan(held.size(), whole), match);
    if (next.n_keys < page_tokens_) break;
    const Node& node = nodes_[next.node];
    path.push_back(next.node);
    held.insert(held.end(), node.keys.begin(), node.keys.end());
    children = &node.children;
  }
}

// Whether a row behind n_keys keys, which are those of `path` and perhaps more, sees all it needs.
bool PrefixTree::sees_all(std::span<const int32_t> path, int n_keys) const {
  for (int group = 0; group < pools_.n_groups(); ++group) {
    for (auto i = static_cast<size_t>(pools_.first_seen(group, n_keys)); i < path.size(); ++i)
      if (nodes_[path[i]].pages[group] == kAbsentPage) return false;
  }
  return true;
}

// A part of one more page fits perhaps. A state has no parts.
bool PrefixTree::take_part(const std::string& salt, Keys keys, KeyMatch match,
                           std::span<const int32_t> path, PageTable& table,
                           std::vector<int32_t>& held) {
  const Keys rest = keys.subspan(held.size());
  const auto root = roots_.find(salt);
  if (pools_.has_states() || rest.empty() || root == roots_.end()) return false;
  const Children& children = path.empty() ? root->second : nodes_[path.back()].children;
  const Match part = longest(
      children, rest.first(std::min(rest.size(), static_cast<size_t>(page_tokens_))), match);
  if (part.n_keys == 0) return false;
  const int n_keys = static_cast<int>(held.size()) + part.n_keys;
  if (!sees_all(path, n_keys)) return false;
  // The copy may take the place of the page it was copied from.
  const std::vector<int32_t> its = nodes_[part.node].keys;
  restore(path, table);
  if (!copy(PageRow(nodes_[part.node].pages), table)) return false;
  held.insert(held.end(), its.begin(), its.begin() + part.n_keys);
  return true;
}

// Loading gives window pages back that a shorter prefix needs.
void PrefixTree::restore(std::span<const int32_t> path, PageTable& table) {
  if (!pools_.any_window() || !store_) return;
  table.shrink(0);
  for (const int32_t node : path) table.add_shared(nodes_[node].pages);
}

// The longest part of the path with which a sequence can go on.
void PrefixTree::cut_to_usable(std::span<const int32_t> path, PageTable& table,
                               std::vector<int32_t>& held) {
  size_t n = path.size();
  const auto n_keys = [&] { return static_cast<int>(n) * page_tokens_; };
  const auto usable = [&] {
    return sees_all(path.first(n), n_keys()) &&
           (!pools_.has_states() || nodes_[path[n - 1]].state != nullptr);
  };
  while (n > 0 && !usable()) --n;
  restore(path.first(n), table);
  table.shrink(n_keys());
  held.resize(n_keys());
  if (pools_.has_states() && n > 0) {
    table.start = nodes_[path[n - 1]].state;
    checkpoints_.remove(path[n - 1]);
    checkpoints_.append(path[n - 1]);
  }
}

// Holds the pages meanwhile, lest they be given up to make room for their copies.
bool PrefixTree::copy(const PageRow& pages, PageTable& table) {
  const int n_groups = pools_.n_groups();
  for (int group = 0; group < n_groups; ++group)
    if (pages[group] == kAbsentPage) return false;
  for (int group = 0; group < n_groups; ++group) pools_[group].hold(pages[group]);
  const bool room = make_room(1);
  if (room) {
    PageRow own = no_pages();
    for (int group = 0; group < n_groups; ++group) {
      own[group] = pools_[group].take();
      executor_.copy_page(group, pages[group], own[group]);
    }
    table.add_own(own);
  }
  for (int group = 0; group < n_groups; ++group) pools_[group].release(pages[group]);
  return room;
}

void PrefixTree::share(const std::string& salt, Keys keys, PageTable& table, StateBytes state) {
  const size_t n_whole = keys.size() / page_tokens_;
  if (!state && n_whole <= static_cast<size_t>(table.n_shared())) return;
  CHECK(!state || keys.size() % page_tokens_ == 0, "checkpoints stand at the ends of pages");
  const auto path = insert(salt, keys.first(n_whole * page_tokens_), table);
  if (state && path.size() == n_whole) set_state(path.back(), std::move(state));
  if (!path.empty()) prune(path.back());
  trim();
}

void PrefixTree::keep(const std::string& salt, Keys keys, PageTable& table, StateBytes state,
                      int n_state) {
  CHECK(n_state % page_tokens_ == 0, "checkpoints stand at the ends of pages");
  // Where states count, a part of a page serves nobody.
  if (pools_.has_states()) keys = keys.first(keys.size() / page_tokens_ * page_tokens_);
  const auto path = insert(salt, keys, table);
  const auto n = static_cast<size_t>(n_state / page_tokens_);
  if (state && n > 0 && n <= path.size()) set_state(path[n - 1], std::move(state));
  if (!path.empty()) prune(path.back());
  table.shrink(0);
  trim();
}

// The nodes of `keys`, or of as many as could be inserted.
std::vector<int32_t> PrefixTree::insert(const std::string& salt, Keys keys, PageTable& table) {
  CHECK(std::ssize(keys) <= int64_t{1} * table.n_entries() * page_tokens_,
        "a table holds its keys");
  std::vector<int32_t> path;
  if (keys.empty()) return path;
  Root& root = *roots_.try_emplace(salt).first;
  int32_t parent = -1;
  for (int i = 0; !keys.empty(); ++i) {
    const Keys part = keys.first(std::min(keys.size(), static_cast<size_t>(page_tokens_)));
    keys = keys.subspan(part.size());
    const PageRow pages = table.row(i);
    int32_t node = beginning_with(parent < 0 ? root.second : nodes_[parent].children, part);
    if (node >= 0) {
      if (nodes_[node].keys.size() == part.size()) adopt(node, pages);
    } else {
      if (!may_add(pages)) break;
      node = add(root, parent, pages, part);
    }
    table.share(i, nodes_[node].pages);
    path.push_back(node);
    parent = node;
  }
  drop_if_empty(root);
  return path;
}

// After clear(): others may hold pages, but perhaps not those of what would be their parent now.
bool PrefixTree::may_add(const PageRow& pages) const {
  for (int group = 0; group < pools_.n_groups(); ++group) {
    const int32_t page = pages[group];
    CHECK(page != kAbsentPage || !pools_.unlimited(group), "only windows give pages back");
    if (page != kAbsentPage && pools_[group].n_holders(page) > 1) return false;
  }
  return true;
}

int32_t PrefixTree::add(Root& root, int32_t parent, const PageRow& pages, Keys keys) {
  if (unused_.empty()) {
    unused_.push_back(static_cast<int32_t>(nodes_.size()));
    nodes_.emplace_back();
    unsaved_.resize(static_cast<int>(nodes_.size()));
    checkpoints_.resize(static_cast<int>(nodes_.size()));
  }
  const int32_t node = unused_.back();
  unused_.pop_back();
  Children& children = parent < 0 ? root.second : nodes_[parent].children;
  auto at = lower_bound(children, keys);
  if (at != children.begin() && begins_with(keys, nodes_[*std::prev(at)].keys)) {
    remove(*std::prev(at));  // the new page has all that it has
    at = lower_bound(children, keys);
  }
  children.insert(at, node);
  nodes_[node] = {.keys = {keys.begin(), keys.end()}, .parent = parent, .root = &root};
  if (rows_) rows_->hold_keys(keys);
  adopt(node, pages);
  return node;
}

// Takes pages that the node lacks and that are no other node's.
void PrefixTree::adopt(int32_t node, const PageRow& pages) {
  Node& its = nodes_[node];
  bool any = false;
  for (int group = 0; group < pools_.n_groups(); ++group) {
    const int32_t page = pages[group];
    if (page == kAbsentPage || its.pages[group] != kAbsentPage || pools_[group].cached(page))
      continue;
    its.pages[group] = page;
    owners_[group][page] = node;
    pools_[group].cache(page);
    ++n_pages_;
    any = true;
  }
  if (any) note_unsaved(node);
}

void PrefixTree::note_unsaved(int32_t node) {
  const bool whole = std::ssize(nodes_[node].keys) == page_tokens_;
  if (whole && !unsaved_.contains(node)) unsaved_.append(node);
}

// The checkpoints that were used last stay.
void PrefixTree::set_state(int32_t node, StateBytes state) {
  if (nodes_[node].state) checkpoints_.remove(node);
  checkpoints_.append(node);
  if (nodes_[node].state) return;  // of the same keys
  n_checkpoint_bytes_ += std::ssize(*state);
  nodes_[node].state = std::move(state);
  note_unsaved(node);
  while (n_checkpoint_bytes_ > max_checkpoint_bytes_) {
    const int32_t oldest = checkpoints_.front();
    drop_state(oldest);
    if (oldest == node) return;
    prune(oldest);
  }
}

void PrefixTree::drop_state(int32_t node) {
  if (!nodes_[node].state) return;
  n_checkpoint_bytes_ -= std::ssize(*nodes_[node].state);
  nodes_[node].state = nullptr;
  checkpoints_.remove(node);
}

void PrefixTree::drop_page(int32_t node, int group) {
  const int32_t page = std::exchange(nodes_[node].pages[group], kAbsentPage);
  if (page == kAbsentPage) return;
  owners_[group][page] = -1;
  pools_[group].uncache(page);
  --n_pages_;
}

// Everything of a node but its place among its siblings.
void PrefixTree::empty(int32_t node) {
  drop_state(node);
  for (int group = 0; group < pools_.n_groups(); ++group) drop_page(node, group);
  if (unsaved_.contains(node)) unsaved_.remove(node);
  if (rows_) rows_->release_keys(nodes_[node].keys);
  nodes_[node] = {};
  unused_.push_back(node);
}

// Leaves an empty root to the caller.
void PrefixTree::remove(int32_t node) {
  CHECK(nodes_[node].children.empty(), "a page goes before those it follows");
  Children& among = siblings(nodes_[node]);
  const auto at = lower_bound(among, nodes_[node].keys);
  CHECK(at != among.end() && *at == node, "a node stands among its siblings");
  among.erase(at);
  empty(node);
}

// Nodes that have nothing and lead to nothing, from this one upwards.
void PrefixTree::prune(int32_t node) {
  const auto of_use = [](const Node& n) {
    return n.state || !n.children.empty() || n.pages != no_pages();
  };
  while (node >= 0 && node != pinned_ && !of_use(nodes_[node])) {
    const int32_t parent = nodes_[node].parent;
    const Root& root = *nodes_[node].root;
    remove(node);
    drop_if_empty(root);
    node = parent;
  }
}

void PrefixTree::drop_if_empty(const Root& root) {
  if (root.second.empty()) roots_.erase(roots_.find(root.first));
}

bool PrefixTree::evict_one(int group) {
  const int32_t page = pools_[group].oldest_idle();
  if (page < 0) return false;
  const int32_t node = owners_[group][page];
  if (!pools_.unlimited(group)) {
    drop_page(node, group);
    prune(node);
    return true;
  }
  const Root& root = *nodes_[node].root;
  remove(node);
  drop_if_empty(root);
  return true;
}

bool PrefixTree::make_room(int group, int n_free) {
  while (pools_[group].n_free() < n_free && evict_one(group)) {
  }
  return pools_[group].n_free() >= n_free;
}

bool PrefixTree::make_room(int n_free) {
  bool room = true;
  for (int group = 0; group < pools_.n_groups(); ++group) room = make_room(group, n_free) && room;
  return room;
}

void PrefixTree::trim() {
  for (int group = 0; group < pools_.n_groups(); ++group)
    while (n_evictable(group) > max_idle_) evict_one(group);
}

void PrefixTree::forget_all(Root& root) {
  Children open = std::exchange(root.second, {});
  while (!open.empty()) {
    const int32_t node = open.back();
    open.pop_back();
    open.insert(open.end(), nodes_[node].children.begin(), nodes_[node].children.end());
    empty(node);
  }
}

void PrefixTree::clear(const std::string& salt) {
  const auto root = roots_.find(salt);
  if (root == roots_.end()) return;
  forget_all(*root);
  roots_.erase(root);
}

void PrefixTree::clear() {
  for (Root& root : roots_) forget_all(root);
  roots_.clear();
}

}  // namespace quern
