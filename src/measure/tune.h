// `quern tune`: the search for this machine's best tuning, with its records kept.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/weight_source.h"
#include "measure/bench_rows.h"
#include "tuning/recorded.h"

namespace quern::measure {

// Searches, and replaces the records of these products in the file at `path`. Errors: as
// search_tuning and RecordStore.
Result<std::vector<ProductFindings>> tune(std::shared_ptr<const WeightSource> source,
                                          const SearchOptions& options, const std::string& path);

// All records of the file, or how many were deleted; of no file: none. Errors: as RecordStore.
Result<std::vector<TuningRecord>> tuning_records(const std::string& path);
Result<int> clear_tuning_records(const std::string& path);

std::string passes_text(int n_rows);  // "one token", "8 sequences", "a prompt"
Json records_json(const std::vector<TuningRecord>& records);
Json findings_json(const std::vector<ProductFindings>& found);

}  // namespace quern::measure
