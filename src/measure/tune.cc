#include "measure/tune.h"

#include <fmt/format.h>

#include <utility>

#include "compile/targets.h"

namespace quern::measure {

namespace {

Json record_json(const TuningRecord& record) {
  return {
      {"cpu", record.key.cpu},         {"isa", record.key.isa},     {"threads", record.key.threads},
      {"kernels", record.key.kernels}, {"product", record.product}, {"parameter", record.parameter},
      {"value", record.value},         {"gain", record.gain},       {"measured", record.measured}};
}

}  // namespace

Result<std::vector<ProductFindings>> tune(std::shared_ptr<const WeightSource> source,
                                          const SearchOptions& options, const std::string& path) {
  TRY(auto found, search_tuning(std::move(source), options));
  TRY(const Target* target, find_target(options.compile.target));
  const TuningKey key = tuning_key(*target, options.compile.isa, options.compile.threads);
  std::vector<std::string> products;
  for (const ProductFindings& product : found) products.push_back(product.product);
  TRY(RecordStore store, RecordStore::open(path, false));
  TRY_OK(store.replace(key, products, records_of(*target, key, found)));
  return found;
}

Result<std::vector<TuningRecord>> tuning_records(const std::string& path) {
  const auto store = RecordStore::open(path, true);
  if (store) return store->all();
  if (store.error().code != Code::not_found) return store.error();
  return std::vector<TuningRecord>();
}

Result<int> clear_tuning_records(const std::string& path) {
  auto store = RecordStore::open(path, true);
  if (store) return store->clear();
  if (store.error().code != Code::not_found) return store.error();
  return 0;
}

std::string passes_text(int n_rows) {
  if (n_rows == 1) return "one token";
  return n_rows < 512 ? fmt::format("{} sequences", n_rows) : "a prompt";
}

Json records_json(const std::vector<TuningRecord>& records) {
  Json all = Json::array();
  for (const TuningRecord& record : records) all.push_back(record_json(record));
  return all;
}

Json findings_json(const std::vector<ProductFindings>& found) {
  Json all = Json::array();
  for (const ProductFindings& product : found) {
    Json findings = Json::array();
    for (const Finding& finding : product.findings) {
      Json changed = Json::object();
      for (const size_t p : finding.changed) {
        const TuningParameter& parameter = default_target().tuning_parameters()[p];
        changed[parameter.name] = {{"default", parameter.usual}, {"best", product.best[p]}};
      }
      findings.push_back({{"passes_of", passes_text(finding.n_rows)},
                          {"gain", finding.gain},
                          {"changed", changed}});
    }
    all.push_back({{"product", product.product}, {"findings", findings}});
  }
  return all;
}

}  // namespace quern::measure
