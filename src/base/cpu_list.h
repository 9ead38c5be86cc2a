// Sets of CPUs in the system's notation.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern {

// "0-3,8": CPUs by number, in the order written, each once; nothing if it is not such a list.
std::optional<std::vector<int>> parse_cpu_list(std::string_view text);

// Those this process may run on, ascending; empty where the system does not tell.
std::vector<int> allowed_cpus();

// The first of `cpus` on each core: threads that share a core share its arithmetic units and its
// way to memory. `root` is where the system describes CPUs (/sys/devices/system/cpu); a CPU that it
// does not describe counts as a separate core.
std::vector<int> one_per_core(const std::vector<int>& cpus, const std::string& root);
// The value of --pin: "none" (empty), "cores" (one CPU of each core this
// process may use) or a list. Errors: invalid_argument (neither; a CPU this process may not use).
Result<std::vector<int>> pin_cpus(std::string_view text);

inline constexpr const char* kCpuRoot = "/sys/devices/system/cpu";

}  // namespace quern
