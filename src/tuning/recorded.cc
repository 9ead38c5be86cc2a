#include "tuning/recorded.h"

#include <algorithm>
#include <filesystem>

#include "backend/cpu/kernels.h"
#include "base/cpu_features.h"

namespace quern {
namespace {

const cpu::TuningParameter* find_parameter(std::string_view name) {
  const auto* at = std::ranges::find_if(
      cpu::kTuningParameters, [&](const cpu::TuningParameter& p) { return p.name == name; });
  return at == std::end(cpu::kTuningParameters) ? nullptr : at;
}

}  // namespace

TuningKey tuning_key(std::string_view isa, int threads) {
  const CpuFeatures features = detect_cpu_features();
  const cpu::Kernels* named =
      isa.empty() ? &cpu::best_kernels(features) : cpu::find_kernels(isa, features);
  return {.cpu = features.model,
          .isa = std::string(named ? named->isa : isa),
          .threads = threads > 0 ? threads : std::max(1, features.n_cpus),
          .kernels = cpu::kKernelVersion};
}

cpu::TuningTable table_of(const std::vector<TuningRecord>& records) {
  cpu::TuningTable table;
  for (const TuningRecord& record : records) {
    const cpu::TuningParameter* parameter = find_parameter(record.parameter);
    if (!parameter) continue;
    const std::span<const int> values(parameter->values, parameter->n_values);
    if (std::ranges::find(values, record.value) == values.end()) continue;
    table[record.product].*parameter->member = record.value;
  }
  return table;
}

std::vector<TuningRecord> records_of(const TuningKey& key,
                                     const std::vector<ProductFindings>& found) {
  std::vector<TuningRecord> records;
  for (const ProductFindings& product : found)
    for (const Finding& finding : product.findings)
      for (const cpu::TuningParameter* parameter : finding.changed)
        records.push_back({.key = key,
                           .product = product.product,
                           .parameter = parameter->name,
                           .value = product.best.*parameter->member,
                           .gain = finding.gain});
  return records;
}

std::shared_ptr<cpu::TuningTable> recorded_tuning(const std::string& path, const TuningKey& key,
                                                  std::string& warning) {
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
  return std::make_shared<cpu::TuningTable>(table_of(*records));
}

}  // namespace quern
