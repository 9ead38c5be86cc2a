// The memory of keys and values: layers with the same window form a group, which has pages of its
// own. A page of a group holds 64 tokens of all its layers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backend/cache_group.h"
#include "backend/cpu/attention.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/program.h"

namespace quern::cpu {

// Room for `sequences` sequences of `tokens` tokens each, no two of which share a page.
struct CacheRoom {
  int64_t tokens = 0;
  int sequences = 1;
};

class PagedCache {
 public:
  // Memory is taken from the system when first written. Errors: out_of_memory.
  static Result<PagedCache> allocate(const Program& program, const Kernels& kernels,
                                     const CacheRoom& room);

  std::span<const CacheGroup> groups() const { return groups_; }
  int group_of(int layer) const { return group_of_layer_[layer]; }
  std::span<const int> group_of_layers() const { return group_of_layer_; }
  std::span<const LayerCache> layers() const { return layers_; }
  int max_pages() const;  // of a group

  // As the executor's.
  void copy_page(int group, int32_t from, int32_t to);
  void read_page(int group, int32_t page, std::span<std::byte> bytes) const;
  void write_page(int group, int32_t page, std::span<const std::byte> bytes);
  // CHECKs that the chunk has all pages that its rows read or write.
  void check(const PageLists& pages, int position, int n_rows) const;

 private:
  void check_page(int group, int32_t page) const;

  std::vector<CacheGroup> groups_;
  std::vector<int> group_of_layer_;
  std::vector<LayerCache> layers_;
  WeightMemory memory_;
};

}  // namespace quern::cpu
