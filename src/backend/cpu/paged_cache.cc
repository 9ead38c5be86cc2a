#include "backend/cpu/paged_cache.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace quern::cpu {
namespace {

// Of a group with a window, at least: prompts that come back find the windows of a few
// conversations, and as many answers of any length run before one is preempted.
constexpr int kWindowSequences = 16;

int64_t pages_for(int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

int64_t layer_page_bytes(const Program& program, const Kernels& kernels,
                         const AttentionShape& layer) {
  const AttentionKernels* attention = cache_kernels(kernels, program.numerics, program.kv);
  return (attention ? attention->page_bytes : kernels.exact.attention.page_bytes)(layer);
}

// A sequence holds its window, the rows of a pass and a page: no more whatever its length.
int pages_of_group(int window, int max_rows, const CacheRoom& room) {
  const int64_t all = pages_for(room.tokens);
  if (window == 0) return static_cast<int>(all * room.sequences);
  const int64_t one = window_pages(window, max_rows, kPageTokens);
  return static_cast<int>(
      std::min(all * room.sequences, one * std::max(room.sequences, kWindowSequences)));
}

// The largest layer's; each has arrays of its own.
void widen(std::vector<CacheArray>& arrays, const AttentionShape& layer) {
  arrays[0].width = std::max(arrays[0].width, int64_t{1} * layer.n_kv_heads * layer.head_dim);
  arrays[1].width = std::max(arrays[1].width, int64_t{1} * layer.n_kv_heads * value_dim_of(layer));
}

}  // namespace

Result<PagedCache> PagedCache::allocate(const Program& program, const Kernels& kernels,
                                        const CacheRoom& room) {
  PagedCache cache;
  for (const AttentionShape& layer : program.layers) {
    auto group = std::ranges::find(cache.groups_, layer.window, &CacheGroup::window);
    if (group == cache.groups_.end()) {
      if (std::ssize(cache.groups_) == kMaxCacheGroups) {
        return Error{Code::unsupported, "layers with more than 8 different windows", "", ""};
      }
      cache.groups_.push_back(
          {.name = layer.window == 0 ? "full" : "window " + std::to_string(layer.window),
           .window = layer.window,
           .n_pages = pages_of_group(layer.window, program.max_rows, room),
           .arrays = {{"k"}, {"v"}}});
      group = cache.groups_.end() - 1;
    }
    cache.group_of_layer_.push_back(static_cast<int>(group - cache.groups_.begin()));
    cache.layers_.push_back({nullptr, layer_page_bytes(program, kernels, layer)});
    group->page_bytes += cache.layers_.back().stride;
    widen(group->arrays, layer);
  }
  int64_t bytes = 0;
  for (const CacheGroup& group : cache.groups_) bytes += group.page_bytes * group.n_pages;
  // Layers lie far apart: with large pages each would take 2 MiB for its first token.
  TRY(cache.memory_, WeightMemory::allocate(bytes, false));
  std::byte* base = cache.memory_.data();
  for (size_t i = 0; i < cache.layers_.size(); ++i) {
    cache.layers_[i].base = base;
    base += cache.layers_[i].stride * cache.groups_[cache.group_of_layer_[i]].n_pages;
  }
  return cache;
}

int PagedCache::max_pages() const {
  int most = 0;
  for (const CacheGroup& group : groups_) most = std::max(most, group.n_pages);
  return most;
}

void PagedCache::check_page(int group, int32_t page) const {
  CHECK(group >= 0 && group < std::ssize(groups_), "groups are below the number of groups");
  CHECK(page >= 0 && page < groups_[group].n_pages, "page ids are below n_pages");
}

void PagedCache::check(const PageLists& pages, int position, int n_rows) const {
  CHECK(pages.n_groups() == std::ssize(groups_), "a chunk has a list of pages for each group");
  const int64_t end = int64_t{position} + n_rows;
  for (int group = 0; group < std::ssize(groups_); ++group) {
    const auto list = pages[group];
    CHECK(std::ssize(list) * kPageTokens >= end, "a chunk's pages hold its tokens");
    const int first = first_position_seen(groups_[group].window, position) / kPageTokens;
    for (int i = 0; i < std::ssize(list); ++i)
      if (i >= first || list[i] != kAbsentPage) check_page(group, list[i]);
  }
}

void PagedCache::copy_page(int group, int32_t from, int32_t to) {
  check_page(group, from);
  check_page(group, to);
  if (from == to) return;
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (group_of_layer_[i] != group) continue;
    const LayerCache& cache = layers_[i];
    std::memcpy(cache.base + to * cache.stride, cache.base + from * cache.stride, cache.stride);
  }
}

void PagedCache::read_page(int group, int32_t page, std::span<std::byte> bytes) const {
  check_page(group, page);
  CHECK(std::ssize(bytes) == groups_[group].page_bytes, "room for one page");
  std::byte* to = bytes.data();
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (group_of_layer_[i] != group) continue;
    const LayerCache& cache = layers_[i];
    std::memcpy(to, cache.base + page * cache.stride, cache.stride);
    to += cache.stride;
  }
}

void PagedCache::write_page(int group, int32_t page, std::span<const std::byte> bytes) {
  check_page(group, page);
  CHECK(std::ssize(bytes) == groups_[group].page_bytes, "the bytes of one page");
  const std::byte* from = bytes.data();
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (group_of_layer_[i] != group) continue;
    const LayerCache& cache = layers_[i];
    std::memcpy(cache.base + page * cache.stride, from, cache.stride);
    from += cache.stride;
  }
}

}  // namespace quern::cpu
