#include "cli/memory.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "cli/arguments.h"

namespace quern::cli {

namespace {

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<int64_t> slurp_integer(const std::string& path) {  // "max\n" is none
  std::string text = slurp(path);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return read_integer(text);
}

int64_t kilobytes_after(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  if (at == std::string_view::npos) return 0;
  const size_t begin = text.find_first_of("0123456789", at);
  if (begin == std::string_view::npos) return 0;
  const size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
  return read_integer(text.substr(begin, end - begin)).value_or(0) * 1024;
}

}  // namespace

Memory parse_meminfo(std::string_view meminfo) {
  return {kilobytes_after(meminfo, "MemTotal:"), kilobytes_after(meminfo, "MemAvailable:")};
}

Memory cgroup_memory(std::string_view cgroups, const std::string& root) {
  const size_t at = cgroups.find("0::/");
  if (at == std::string_view::npos) return {};
  const size_t begin = at + 3, end = std::min(cgroups.find('\n', begin), cgroups.size());
  std::string group(cgroups.substr(begin, end - begin));
  Memory tightest;
  while (true) {
    const auto limit = slurp_integer(root + group + "/memory.max");
    const auto used = slurp_integer(root + group + "/memory.current");
    if (limit && (tightest.total == 0 || *limit < tightest.total))
      tightest = {*limit, std::max<int64_t>(*limit - used.value_or(0), 1)};
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos || group.size() <= 1) return tightest;
    group.resize(slash == 0 ? 1 : slash);
  }
}

LargePages parse_large_pages(std::string_view enabled) {
  const size_t open = enabled.find('['), close = enabled.find(']');
  if (open == enabled.npos || close == enabled.npos || close < open) return LargePages::unknown;
  const std::string_view chosen = enabled.substr(open + 1, close - open - 1);
  if (chosen == "never") return LargePages::refused;
  return chosen == "always" || chosen == "madvise" ? LargePages::given : LargePages::unknown;
}

LargePages large_pages() {
  return parse_large_pages(slurp("/sys/kernel/mm/transparent_hugepage/enabled"));
}

Memory machine_memory() {
  Memory memory = parse_meminfo(slurp("/proc/meminfo"));
  const Memory group = cgroup_memory(slurp("/proc/self/cgroup"), "/sys/fs/cgroup");
  if (group.total > 0) {
    memory.total = std::min(memory.total, group.total);
    memory.available = std::min(memory.available, group.available);
  }
  return memory;
}

}  // namespace quern::cli
