#include "tuning/recorded.h"

#include <algorithm>
#include <filesystem>

#include "base/cpu_features.h"

namespace quern {

TuningKey tuning_key(const Target& target, std::string_view isa, int threads) {
  const CpuFeatures features = detect_cpu_features();
  const auto used = target.instruction_set(isa);
  return {.cpu = features.model,
          .isa = std::string(used ? *used : isa),
          .threads = threads > 0 ? threads : std::max(1, features.n_cpus),
          .kernels = target.kernel_version()};
}

TuningTable table_of(const Target& target, const std::vector<TuningRecord>& records) {
  TuningTable table;
  const auto parameters = target.tuning_parameters();
  for (const TuningRecord& record : records) {
    const auto at = std::ranges::find(parameters, record.parameter, &TuningParameter::name);
    if (at == parameters.end()) continue;
    if (std::ranges::find(at->values, record.value) == at->values.end()) continue;
    Tuning& tuning = table.products.try_emplace(record.product, usual_tuning(target)).first->second;
    tuning[static_cast<size_t>(at - parameters.begin())] = record.value;
  }
  return table;
}

std::vector<TuningRecord> records_of(const Target& target, const TuningKey& key,
                                     const std::vector<ProductFindings>& found) {
  std::vector<TuningRecord> records;
  for (const ProductFindings& product : found)
    for (const Finding& finding : product.findings)
      for (const size_t parameter : finding.changed)
        records.push_back({.key = key,
                           .product = product.product,
                           .parameter = target.tuning_parameters()[parameter].name,
                           .value = product.best[parameter],
                           .gain = finding.gain});
  return records;
}

std::shared_ptr<TuningTable> recorded_tuning(const Target& target, const std::string& path,
                                             const TuningKey& key, std::string& warning) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return nullptr;
  const auto records = [&]() -> Result<std::vector<TuningRecord>> {
    TRY(const RecordStore store, RecordStore::open(path, true));
    return store.of(key);
  }();
  if (!records) {
    warning = "the tuner's records are left aside: " + to_string(records.error());
    return nullptr;
  }
  if (records->empty()) return nullptr;
  return std::make_shared<TuningTable>(table_of(target, *records));
}

}  // namespace quern
