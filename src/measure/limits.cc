#include "measure/limits.h"

#include <fmt/format.h>

#include <utility>

#include "compile/targets.h"

namespace quern::measure {

namespace {

std::string memory_note(const MachineLimits& limits) {
  return fmt::format("by {}, {} pages", limits.dram_by,
                     limits.dram_large_pages ? "large" : "small");
}

std::string int8_note(const MachineLimits& limits) {
  std::string note = fmt::format("by {}", limits.int8_by);
  if (limits.int4_gops > limits.int8_gops)
    note += fmt::format("; int4 by int8: {:.1f} by {}", limits.int4_gops, limits.int4_by);
  if (limits.int8_tiles_gops > 0) note += fmt::format("; tiles: {:.1f}", limits.int8_tiles_gops);
  return note;
}

constexpr LimitRow kRows[] = {
    {"dram_gbps", "memory, GB/s", &MachineLimits::dram_gbps, memory_note},
    {"l3_gbps", "third cache, GB/s", &MachineLimits::l3_gbps},
    {"l2_gbps", "second cache, GB/s", &MachineLimits::l2_gbps},
    {"int8_gops", "int8 dot products, GOP/s", &MachineLimits::int8_gops, int8_note},
    {"int4_gops", nullptr, &MachineLimits::int4_gops},
    {"int8_tiles_gops", nullptr, &MachineLimits::int8_tiles_gops},
    {"bf16_gflops", "bf16 dot products, GFLOP/s", &MachineLimits::bf16_gflops},
    {"f32_gflops", "f32 multiply-adds, GFLOP/s", &MachineLimits::f32_gflops},
};

}  // namespace

std::span<const LimitRow> limit_rows() { return kRows; }

Result<std::vector<ThreadLimits>> measure_limits(std::span<const int> threads,
                                                 const std::string& isa) {
  const Target& target = default_target();
  if (!target.instruction_set(isa))
    return Error{Code::unsupported, "no instruction set '" + isa + "' here", "--isa",
                 "quern doctor lists those that this processor and this build have"};
  std::vector<ThreadLimits> all;
  for (const int n : threads) {
    TRY(const auto probe, target.probe(n, isa));
    TRY(const MachineLimits limits, probe->limits());
    all.push_back({n, limits});
  }
  return all;
}

Json limits_json(std::span<const ThreadLimits> all, const std::string& isa) {
  const auto used = default_target().instruction_set(isa);
  Json list = Json::array();
  for (const ThreadLimits& m : all) {
    Json value{{"isa", used ? std::string(*used) : isa},
               {"n_threads", m.n_threads},
               {"dram_by", m.limits.dram_by},
               {"dram_pages", m.limits.dram_large_pages ? "large" : "small"},
               {"int8_by", m.limits.int8_by},
               {"int4_by", m.limits.int4_by}};
    for (const LimitRow& row : kRows)
      if (m.limits.*row.value > 0) value[row.key] = m.limits.*row.value;
    list.push_back(std::move(value));
  }
  return list;
}

}  // namespace quern::measure
