#include "cli/bench_tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/readable.h"

namespace quern::cli {

using measure::Json;
using measure::test_name;

std::string bench_table(const Json& rows) {
  const Json& first = rows.front();
  const auto of = [](const Json& row, const char* key) { return row.at(key).get<double>(); };
  const auto any = [&](const char* key) {
    return std::ranges::any_of(rows, [&](const Json& row) { return row.contains(key); });
  };
  const bool sweep = std::ranges::any_of(
      rows, [&](const Json& row) { return row.at("n_threads") != first.at("n_threads"); });
  const bool compared = any("ratio");
  size_t width = 4;
  for (const Json& row : rows) width = std::max(width, test_name(row).size());

  std::string text =
      fmt::format("{}\n{}{}, {}\n\n", shown(first.at("model_filename").get<std::string>()),
                  sweep ? "" : fmt::format("{} threads, ", first.at("n_threads").get<int>()),
                  first.at("isa").get<std::string>(), first.at("numerics").get<std::string>());
  const std::string columns =
      fmt::format("{}{:<{}} {:>10} {:>10} {:>8} {:>7} {:>7} {:>8} {:>7}{}", sweep ? "threads " : "",
                  "test", width, "tokens/s", "mean", "+-", "GB/s", "of DRAM", "GOP/s", "of int8",
                  compared ? fmt::format(" {:>10} {:>6}", "earlier", "ratio") : "");
  text += columns + "\n";
  for (const Json& row : rows) {
    if (sweep) text += fmt::format("{:>7} ", row.at("n_threads").get<int>());
    text += fmt::format("{:<{}} {:>10.2f} {:>10.2f} {:>8.2f} {:>7.2f} {:>6.1f}% {:>8.1f} {:>6.1f}%",
                        test_name(row), width, of(row, "median_ts"), of(row, "avg_ts"),
                        of(row, "stddev_ts"), of(row, "gbps"), 100 * of(row, "share_dram"),
                        of(row, "gops"), 100 * of(row, "share_int8"));
    if (row.contains("ratio"))
      text += fmt::format(" {:>10.2f} {:>5.2f}x", of(row, "earlier_ts"), of(row, "ratio"));
    text += "\n";
  }
  return text;
}

std::string arrivals_table(const Json& rows) {
  const Json& first = rows.front();
  size_t width = 4;
  for (const Json& row : rows) width = std::max(width, test_name(row).size());
  std::string text =
      fmt::format("{}\n{}, {}\n\n", shown(first.at("model_filename").get<std::string>()),
                  first.at("isa").get<std::string>(), first.at("numerics").get<std::string>());
  text += fmt::format("threads {:<{}} {:<9} {:>8} {:>10} {:>8} {:>8} {:>9}\n", "test", width,
                      "arrivals", "requests", "tokens/s", "+-", "running", "of fixed");
  double fixed = 0;
  for (const Json& row : rows) {
    const double speed = row.at("median_ts").get<double>();
    const auto arrivals = row.at("arrivals").get<std::string>();
    if (arrivals == "together") fixed = speed;
    text += fmt::format("{:>7} {:<{}} {:<9} {:>8} {:>10.2f} {:>8.2f} {:>8.1f} {:>8.1f}%\n",
                        row.at("n_threads").get<int>(), test_name(row), width, arrivals,
                        row.at("n_requests").get<int>(), speed, row.at("stddev_ts").get<double>(),
                        row.at("mean_running").get<double>(), 100 * speed / fixed);
  }
  return text;
}

std::string cached_table(const Json& rows) {
  const Json& first = rows.front();
  std::string text =
      fmt::format("{}\n{}, {}\n\n", shown(first.at("model_filename").get<std::string>()),
                  first.at("isa").get<std::string>(), first.at("numerics").get<std::string>());
  text += fmt::format("{:>7} {:>7} {:>7} {:>9} {:>15} {:>15} {:>8}\n", "threads", "prompt",
                      "cached", "computed", "first token ms", "from cache ms", "of cold");
  for (const Json& row : rows)
    text += fmt::format(
        "{:>7} {:>7} {:>7} {:>9} {:>15.1f} {:>15.1f} {:>7.1f}%\n", row.at("n_threads").get<int>(),
        row.at("n_prompt").get<int>(), row.at("n_cached").get<int>(),
        row.at("n_computed").get<int>(), row.at("first_token_cold_ms").get<double>(),
        row.at("first_token_cached_ms").get<double>(), 100 * row.at("share").get<double>());
  return text;
}

}  // namespace quern::cli
