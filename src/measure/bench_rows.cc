#include "measure/bench_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace quern::measure {

namespace {

// A row's number, or what rows of before it existed meant.
int64_t number(const Json& row, const char* key, int64_t otherwise) {
  const auto at = row.find(key);
  return at != row.end() && at->is_number_integer() ? at->get<int64_t>() : otherwise;
}

double speed(const Json& row) {  // 0: none
  for (const char* key : {"median_ts", "avg_ts"})
    if (const auto at = row.find(key); at != row.end() && at->is_number()) return at->get<double>();
  return 0;
}

bool same_test(const Json& a, const Json& b) {
  constexpr std::pair<const char*, int64_t> kKeys[] = {
      {"n_threads", 0}, {"n_prompt", 0}, {"n_gen", 0}, {"n_seqs", 1}, {"n_depth", 0}};
  return std::ranges::all_of(kKeys, [&](const auto& key) {
    return number(a, key.first, key.second) == number(b, key.first, key.second);
  });
}

int agreement(const Json& a, const Json& b) {
  int score = 0;
  const auto same = [&](const char* key) {
    return a.contains(key) && b.contains(key) && a[key] == b[key];
  };
  for (const auto& [key, worth] :
       {std::pair{"model_filename", 4}, std::pair{"numerics", 2}, std::pair{"isa", 1}})
    if (same(key)) score += worth;
  return score;
}

// What each group of the cache costs.
Json cache_json(const BenchSetup& setup) {
  Json groups = Json::array();
  for (const CacheGroup& group : setup.cache)
    groups.push_back({{"group", group.name},
                      {"window", group.window},
                      {"bytes_per_token", group.page_bytes / setup.page_tokens},
                      {"bytes", group.page_bytes * group.n_pages}});
  return groups;
}

}  // namespace

Json setup_fields(const BenchSetup& setup) {
  return {{"backend", "cpu"},
          {"isa", setup.isa},
          {"numerics", setup.numerics},
          {"model_filename", setup.model},
          {"model_n_params", setup.n_params},
          {"n_threads", setup.n_threads}};
}

Json bench_row(const BenchSetup& setup, const SpeedTest& test, const Traffic& traffic,
               const std::vector<Sample>& samples) {
  std::vector<double> speeds, gbps, gops, share_dram, share_int8, dram, int8;
  const double tokens = static_cast<double>(test.timed()) * test.n_seqs;
  for (const Sample& sample : samples) {
    const double runs_per_second = sample.tokens_per_second / tokens / 1e9;
    speeds.push_back(sample.tokens_per_second);
    gbps.push_back(traffic.bytes * runs_per_second);
    gops.push_back(traffic.operations * runs_per_second);
    dram.push_back(sample.limits.dram_gbps);
    int8.push_back(sample.limits.int8_gops);
    share_dram.push_back(gbps.back() / dram.back());
    share_int8.push_back(gops.back() / int8.back());
  }
  Json row = setup_fields(setup);
  row.update({{"model_size", setup.model_bytes},
              {"n_batch", setup.n_batch},
              {"n_prompt", test.n_prompt},
              {"n_gen", test.n_gen},
              {"n_seqs", test.n_seqs},
              {"n_depth", test.n_depth},
              {"avg_ts", mean(speeds)},
              {"stddev_ts", deviation(speeds)},
              {"median_ts", median(speeds)},
              {"samples_ts", speeds},
              {"gbps", median(gbps)},
              {"gops", median(gops)},
              {"share_dram", median(share_dram)},
              {"share_int8", median(share_int8)},
              {"dram_gbps", median(dram)},
              {"int8_gops", median(int8)},
              {"cache", cache_json(setup)}});
  return row;
}

std::string test_name(const Json& row) {
  const int64_t prompt = number(row, "n_prompt", 0), gen = number(row, "n_gen", 0),
                seqs = number(row, "n_seqs", 1), depth = number(row, "n_depth", 0);
  std::string name = gen > 0 ? fmt::format("tg{}", gen) : fmt::format("pp{}", prompt);
  if (seqs != 1) name += fmt::format(" x {}", seqs);
  if (gen > 0 && prompt > 0) name += fmt::format(" after pp{}", prompt);
  if (depth > 0) name += fmt::format(" at {}", depth);
  return name;
}

Result<Json> parse_rows(const std::string& text, const std::string& path) {
  Json rows = Json::parse(text, nullptr, false);
  const bool sound =
      rows.is_array() && !rows.empty() && std::ranges::all_of(rows, [](const Json& row) {
        return row.is_object() && number(row, "n_threads", 0) > 0 && speed(row) > 0;
      });
  if (sound) return rows;
  return Error{Code::invalid_argument, "not rows of `quern bench --json`", path,
               "write one: quern bench --json > FILE"};
}

void compare(Json& rows, const Json& earlier) {
  for (Json& row : rows) {
    const Json* best = nullptr;
    for (const Json& candidate : earlier)
      if (same_test(row, candidate) && (!best || agreement(row, candidate) > agreement(row, *best)))
        best = &candidate;
    if (!best) continue;
    row["earlier_ts"] = speed(*best);
    row["ratio"] = speed(row) / speed(*best);
  }
}

}  // namespace quern::measure
