// The prefix tree's way to and from a PrefixStore: a file for each group's page of a node, and one
// for its checkpoint.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/check.h"
#include "engine/kv/prefix_tree.h"

namespace quern {

// Adds the nodes on disk that follow those of `path`, whose keys are `held`.
void PrefixTree::load(const std::string& salt, Keys keys, KeyMatch match, PageTable& table,
                      std::vector<int32_t>& path, std::vector<int32_t>& held) {
  const size_t whole = page_tokens_, n_before = path.size();
  uint64_t name = store_->start(salt);
  std::vector<uint64_t> names;
  for (size_t at = 0; at + whole <= keys.size(); at += whole) {
    name = store_->after(name, keys.subspan(at, whole));
    if (at >= held.size()) names.push_back(name);
  }
  const int n = n_on_disk(names);
  const int n_keys = static_cast<int>((n_before + n) * whole);
  if (n > 0) table.give_back(n_keys);
  for (int i = 0; i < n; ++i) {
    const Keys part = keys.subspan(held.size(), whole);
    std::vector<int32_t> its(part.begin(), part.end());
    PageRow pages = no_pages();
    StateBytes state;
    pinned_ = path.empty() ? -1 : path.back();  // making room may take all that it has
    if (!read_node(names[i], salt, held, its, match == KeyMatch::exact, n_keys, i == n - 1, pages,
                   state))
      break;
    // Only now: what made room for it may have been all that this salt had.
    Root& root = *roots_.try_emplace(salt).first;
    path.push_back(add(root, path.empty() ? -1 : path.back(), pages, its));
    table.add_shared(pages);
    for (int group = 0; group < pools_.n_groups(); ++group)
      if (pages[group] != kAbsentPage) pools_[group].release(pages[group]);
    held.insert(held.end(), its.begin(), its.end());
    if (state) set_state(path.back(), std::move(state));
  }
  pinned_ = -1;
}

// Of the prefixes that end with these names, each a page longer than the one before: how many pages
// the longest has that may be of use.
int PrefixTree::n_on_disk(std::span<const uint64_t> names) const {
  const auto has = [&](int i, int part) { return store_->has(store_->piece(names[i], part)); };
  const auto all = [&](int i, bool unlimited) {
    for (int group = 0; group < pools_.n_groups(); ++group)
      if (pools_.unlimited(group) == unlimited && !has(i, group)) return false;
    return true;
  };
  int n = 0;
  while (n < std::ssize(names) && all(n, true)) ++n;
  const int state = pools_.n_groups();
  const auto may_end = [&](int i) {
    return all(i, false) && (!pools_.has_states() || has(i, state));
  };
  while (n > 0 && !may_end(n - 1)) --n;
  return n;
}

// The pages, one holder each, that a prefix of n_keys keys needs of the node behind `held`; of the
// last node its checkpoint too. keys: those wanted, and then those that the files have. False:
// nothing was taken.
bool PrefixTree::read_node(uint64_t name, const std::string& salt, Keys held,
                           std::vector<int32_t>& keys, bool exact, int n_keys, bool last,
                           PageRow& pages, StateBytes& state) {
  const int at = static_cast<int>(held.size()) / page_tokens_;
  bool complete = true;
  for (int group = 0; group < pools_.n_groups() && complete; ++group) {
    if (at < pools_.first_seen(group, n_keys)) continue;
    std::vector<std::byte> bytes(executor_.groups()[group].page_bytes);
    const bool there = make_room(group, 1) && store_->read(store_->piece(name, group), group, salt,
                                                           held, keys, exact, bytes);
    complete = there || !pools_.unlimited(group);
    if (!there) continue;
    exact = true;  // the files of a node are of the same keys
    pages[group] = pools_[group].take();
    executor_.write_page(group, pages[group], bytes);
  }
  for (int group = 0; group < pools_.n_groups() && !complete; ++group)
    if (pages[group] != kAbsentPage) pools_[group].release(pages[group]);
  if (!complete || !last || !pools_.has_states()) return complete;
  std::vector<std::byte> bytes(executor_.states().slot_bytes);
  const int part = pools_.n_groups();
  if (store_->read(store_->piece(name, part), part, salt, held, keys, exact, bytes))
    state = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return true;
}

int PrefixTree::save(int most) {
  int n_saved = 0;
  while (store_ && n_saved < most && unsaved_.size() > 0 && store_->ready()) {
    const int32_t node = unsaved_.front();
    unsaved_.remove(node);
    if (!save_node(node, n_saved)) unsaved_.append(node);
  }
  return n_saved;
}

// What the store lacks of a node; false: it took a part of it and no more.
bool PrefixTree::save_node(int32_t node, int& n_saved) {
  std::vector<int32_t> path, keys;
  for (int32_t at = node; at >= 0; at = nodes_[at].parent) path.push_back(at);
  const std::string& salt = nodes_[node].root->first;
  uint64_t name = store_->start(salt);
  for (auto at = path.rbegin(); at != path.rend(); ++at) {
    const auto& part = nodes_[*at].keys;
    name = store_->after(name, part);
    keys.insert(keys.end(), part.begin(), part.end());
  }
  if (std::ranges::any_of(keys, is_embedding)) return true;
  const int n_groups = pools_.n_groups();
  for (int part = 0; part <= n_groups; ++part) {
    const bool is_state = part == n_groups;
    const int32_t page = is_state ? kAbsentPage : nodes_[node].pages[part];
    if (is_state ? !nodes_[node].state : page == kAbsentPage) continue;
    const uint64_t piece = store_->piece(name, part);
    if (store_->has(piece)) continue;
    std::vector<std::byte> bytes;
    if (is_state) {
      bytes = *nodes_[node].state;
    } else {
      bytes.resize(executor_.groups()[part].page_bytes);
      executor_.read_page(part, page, bytes);
    }
    if (!store_->write(piece, part, salt, keys, std::move(bytes))) return store_->failed();
    ++n_saved;
  }
  return true;
}

void PrefixTree::save_all() {
  if (!store_) return;
  do {
    store_->flush();
  } while (save(INT32_MAX) > 0);
}

}  // namespace quern
