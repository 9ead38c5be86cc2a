// Memory this process may use.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace quern::cli {

struct Memory {
  int64_t total = 0, available = 0;  // bytes; 0: not known
};

// The machine's, or its cgroup's where that is tighter.
Memory machine_memory();

// The pieces, for tests. `meminfo`: the text of /proc/meminfo.
Memory parse_meminfo(std::string_view meminfo);
// The tightest limit on the way from the group of this process up to the root. `cgroups`: the text
// of /proc/self/cgroup (version 2 line "0::/..."), `root`: where it is mounted.
Memory cgroup_memory(std::string_view cgroups, const std::string& root);

// Whether the system gives large pages to a program that asks for them, by the text of
// /sys/kernel/mm/transparent_hugepage/enabled: "always [madvise] never". Empty text: not known.
enum class LargePages : uint8_t { unknown, given, refused };
LargePages parse_large_pages(std::string_view enabled);
LargePages large_pages();

}  // namespace quern::cli
