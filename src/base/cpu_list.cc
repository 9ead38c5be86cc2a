#include "base/cpu_list.h"

#include <algorithm>
#include <charconv>
#if defined(__linux__)
#include <fstream>

#include <sched.h>
#endif

#include "base/same_name.h"

namespace quern {
namespace {

constexpr int kMaxCpus = 1 << 16;

std::optional<int> parse_cpu(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value >= kMaxCpus)
    return std::nullopt;
  return value;
}

std::string first_line(const std::string& path) {
  std::string line;
#if defined(__linux__)
  std::ifstream file(path);
  std::getline(file, line);
#endif
  return line;
}

}  // namespace

std::optional<std::vector<int>> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view range = text.substr(at, comma - at);
    const size_t dash = range.find('-');
    const auto first = parse_cpu(range.substr(0, dash));
    const auto last = dash == range.npos ? first : parse_cpu(range.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    for (int cpu = *first; cpu <= *last; ++cpu) {
      if (std::ranges::find(cpus, cpu) != cpus.end()) return std::nullopt;
      cpus.push_back(cpu);
    }
    at = comma + 1;
  }
  return cpus;
}

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
#endif
  return cpus;
}

Result<std::vector<int>> pin_cpus(std::string_view text) {
  if (same_name(text, "none")) return std::vector<int>();
  const std::vector<int> allowed = allowed_cpus();
  if (same_name(text, "cores")) return one_per_core(allowed, kCpuRoot);
  const auto cpus = parse_cpu_list(text);
  const auto forbidden = [&](int cpu) { return std::ranges::find(allowed, cpu) == allowed.end(); };
  if (cpus && std::ranges::none_of(*cpus, forbidden)) return *cpus;
  return Error{Code::invalid_argument,
               "cannot keep threads on '" + std::string(text) + "'",
               {},
               "choose none, cores, or CPUs this process may use, like 0-3,8"};
}

std::vector<int> one_per_core(const std::vector<int>& cpus, const std::string& root) {
  std::vector<int> chosen;
  for (const int cpu : cpus) {
    const auto siblings = parse_cpu_list(
        first_line(root + "/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list"));
    const auto is_chosen = [&](int other) {
      return std::ranges::find(chosen, other) != chosen.end();
    };
    if (!siblings || std::ranges::none_of(*siblings, is_chosen)) chosen.push_back(cpu);
  }
  return chosen;
}

}  // namespace quern
