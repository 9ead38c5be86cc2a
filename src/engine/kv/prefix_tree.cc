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

PrefixTree::PrefixTree(PagePool& pool, Executor& executor, int most_idle)
    : pool_(pool),
      executor_(executor),
      page_tokens_(executor.page_tokens()),
      most_idle_(most_idle),
      unsaved_(pool.n_pages()),
      nodes_(pool.n_pages()) {}

PrefixTree::Children::const_iterator PrefixTree::lower_bound(const Children& children,
                                                             Keys keys) const {
  return std::lower_bound(children.begin(), children.end(), keys, [&](int32_t page, Keys wanted) {
    const auto& has = nodes_[page].keys;
    return std::lexicographical_compare(has.begin(), has.end(), wanted.begin(), wanted.end());
  });
}

// What begins with `keys` stands where they would.
int32_t PrefixTree::beginning_with(const Children& children, Keys keys) const {
  const auto at = lower_bound(children, keys);
  return at != children.end() && begins_with(nodes_[*at].keys, keys) ? *at : -1;
}

// One of the two neighbours of where `keys` would stand shares most with them.
PrefixTree::Match PrefixTree::longest(const Children& children, Keys keys) const {
  Match best;
  const auto at = lower_bound(children, keys);
  const auto look = [&](int32_t page) {
    const int n = n_same(nodes_[page].keys, keys);
    if (n > best.n_keys) best = {page, n};
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
  CHECK(table.pages().empty(), "a prefix stands at the beginning");
  if (most <= 0) return 0;
  keys = keys.first(std::min(keys.size(), static_cast<size_t>(most)));
  std::vector<int32_t> held;
  take_whole(salt, keys, match, table, held);
  if (store_) load(salt, keys, match, table, held);
  const auto root = roots_.find(salt);
  if (root == roots_.end()) return 0;
  if (const Keys rest = keys.subspan(held.size()); !rest.empty()) {
    const Children& children = held.empty() ? root->second : nodes_[table.pages().back()].children;
    const Keys wanted = rest.first(std::min(rest.size(), static_cast<size_t>(page_tokens_)));
    const Match part =
        match == KeyMatch::exact ? longest(children, wanted) : longest_by_token(children, wanted);
    if (part.n_keys > 0) {
      // The copy may take the place of the page it was copied from.
      const std::vector<int32_t> its = nodes_[part.page].keys;
      if (copy(part.page, table)) held.insert(held.end(), its.begin(), its.begin() + part.n_keys);
    }
  }
  if (found) found->insert(found->end(), held.begin(), held.end());
  return static_cast<int>(held.size());
}

// Appends the keys of what it adds to `held`.
void PrefixTree::take_whole(const std::string& salt, Keys keys, KeyMatch match, PageTable& table,
                            std::vector<int32_t>& held) const {
  const auto root = roots_.find(salt);
  if (root == roots_.end()) return;
  const Children* children = &root->second;
  for (const size_t whole = page_tokens_; keys.size() - held.size() >= whole;) {
    const Keys part = keys.subspan(held.size(), whole);
    const Match next =
        match == KeyMatch::exact ? longest(*children, part) : longest_by_token(*children, part);
    if (next.n_keys < page_tokens_) break;
    const Node& node = nodes_[next.page];
    table.add_shared(next.page);
    held.insert(held.end(), node.keys.begin(), node.keys.end());
    children = &node.children;
  }
}

// Adds the whole pages on disk that follow those in `table`, which are of the keys `held`.
void PrefixTree::load(const std::string& salt, Keys keys, KeyMatch match, PageTable& table,
                      std::vector<int32_t>& held) {
  const size_t whole = page_tokens_, n_before = held.size();
  uint64_t name = store_->start(salt);
  for (size_t i = 0; i < n_before; i += whole) name = store_->after(name, keys.subspan(i, whole));
  std::vector<std::byte> bytes;
  while (keys.size() - held.size() >= whole) {
    const Keys part = keys.subspan(held.size(), whole);
    name = store_->after(name, part);
    if (!store_->has(name) || !make_room(1)) break;
    bytes.resize(executor_.groups()[0].page_bytes);
    if (!store_->read(name, salt, held, part, match == KeyMatch::exact, bytes)) break;
    const int32_t page = pool_.take();
    executor_.write_page(0, page, bytes);
    table.add_own(page);
  }
  if (held.size() > n_before) insert(salt, held, table);
}

int PrefixTree::save(int most) {
  int n_saved = 0;
  std::vector<int32_t> path;
  while (store_ && n_saved < most && unsaved_.size() > 0 && store_->ready()) {
    const int32_t page = unsaved_.front();
    unsaved_.remove(page);
    path.clear();
    for (int32_t at = page; at >= 0; at = nodes_[at].parent) path.push_back(at);
    const std::string& salt = nodes_[page].root->first;
    uint64_t name = store_->start(salt);
    std::vector<int32_t> keys;
    for (auto at = path.rbegin(); at != path.rend(); ++at) {
      const auto& part = nodes_[*at].keys;
      name = store_->after(name, part);
      keys.insert(keys.end(), part.begin(), part.end());
    }
    if (store_->has(name)) continue;
    std::vector<std::byte> bytes(executor_.groups()[0].page_bytes);
    executor_.read_page(0, page, bytes);
    n_saved += store_->write(name, salt, std::move(keys), std::move(bytes));
  }
  return n_saved;
}

void PrefixTree::save_all() {
  if (!store_) return;
  do {
    store_->flush();
  } while (save(pool_.n_pages()) > 0);
}

// Holds the page meanwhile, lest it be given up to make room for its copy.
bool PrefixTree::copy(int32_t page, PageTable& table) {
  pool_.hold(page);
  const bool room = make_room(1);
  if (room) {
    const int32_t own = pool_.take();
    executor_.copy_page(0, page, own);
    table.add_own(own);
  }
  pool_.release(page);
  return room;
}

void PrefixTree::share(const std::string& salt, Keys keys, PageTable& table) {
  const size_t n_whole = keys.size() / page_tokens_;
  if (n_whole <= static_cast<size_t>(table.n_shared())) return;
  insert(salt, keys.first(n_whole * page_tokens_), table);
  trim();
}

void PrefixTree::keep(const std::string& salt, Keys keys, PageTable& table) {
  insert(salt, keys, table);
  table.shrink(0);
  trim();
}

void PrefixTree::insert(const std::string& salt, Keys keys, PageTable& table) {
  CHECK(keys.size() <= table.pages().size() * page_tokens_, "a table holds its keys");
  if (keys.empty()) return;
  Root& root = *roots_.try_emplace(salt).first;
  int32_t parent = -1;
  for (int i = 0; !keys.empty(); ++i) {
    const Keys part = keys.first(std::min(keys.size(), static_cast<size_t>(page_tokens_)));
    keys = keys.subspan(part.size());
    const int32_t page = table.pages()[i];
    const int32_t found = beginning_with(parent < 0 ? root.second : nodes_[parent].children, part);
    if (found >= 0) {
      table.share(i, found);
    } else {
      // After clear(): others hold it, but perhaps not what is its parent now.
      if (pool_.n_holders(page) > 1) break;
      add(root, parent, page, part);
      table.share(i, page);
    }
    parent = table.pages()[i];
  }
  drop_if_empty(root);
}

void PrefixTree::add(Root& root, int32_t parent, int32_t page, Keys keys) {
  Children& children = parent < 0 ? root.second : nodes_[parent].children;
  auto at = lower_bound(children, keys);
  if (at != children.begin() && begins_with(keys, nodes_[*std::prev(at)].keys)) {
    remove(*std::prev(at));  // the new page has all that it has
    at = lower_bound(children, keys);
  }
  children.insert(at, page);
  nodes_[page] = {{keys.begin(), keys.end()}, parent, &root, {}};
  pool_.cache(page);
  if (std::ssize(keys) == page_tokens_) unsaved_.append(page);
  ++n_pages_;
}

// Leaves an empty root to the caller.
void PrefixTree::remove(int32_t page) {
  Node& node = nodes_[page];
  CHECK(node.children.empty(), "a page goes before those it follows");
  Children& among = siblings(node);
  among.erase(lower_bound(among, node.keys));
  node = {};
  if (unsaved_.contains(page)) unsaved_.remove(page);
  pool_.uncache(page);
  --n_pages_;
}

void PrefixTree::drop_if_empty(const Root& root) {
  if (root.second.empty()) roots_.erase(roots_.find(root.first));
}

bool PrefixTree::evict_one() {
  const int32_t page = pool_.oldest_idle();
  if (page < 0) return false;
  const Root& root = *nodes_[page].root;
  remove(page);
  drop_if_empty(root);
  return true;
}

bool PrefixTree::make_room(int n_free) {
  while (pool_.n_free() < n_free && evict_one()) {
  }
  return pool_.n_free() >= n_free;
}

void PrefixTree::trim() {
  while (pool_.n_idle() > most_idle_) evict_one();
}

void PrefixTree::forget_all(Root& root) {
  Children open = std::exchange(root.second, {});
  while (!open.empty()) {
    const int32_t page = open.back();
    open.pop_back();
    const Node node = std::exchange(nodes_[page], {});
    open.insert(open.end(), node.children.begin(), node.children.end());
    if (unsaved_.contains(page)) unsaved_.remove(page);
    pool_.uncache(page);
    --n_pages_;
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
