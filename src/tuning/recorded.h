// What earlier searches found for this machine, for whoever loads a model.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/target.h"
#include "tuning/record_store.h"
#include "tuning/search.h"

namespace quern {

// Of this machine; isa: empty, or 0 threads: what a model is loaded with if nothing is asked for.
TuningKey tuning_key(const Target& target, std::string_view isa, int threads);

// Tables hold what the records say and the defaults for the rest; records whose parameter or value
// is not one that a search tries are left out.
TuningTable table_of(const Target& target, const std::vector<TuningRecord>& records);
std::vector<TuningRecord> records_of(const Target& target, const TuningKey& key,
                                     const std::vector<ProductFindings>& found);

// From the file at `path`. Null if it has nothing for this machine. What keeps it from being read
// is told in `warning` (else left as it is) and otherwise ignored: the defaults are good.
std::shared_ptr<TuningTable> recorded_tuning(const Target& target, const std::string& path,
                                             const TuningKey& key, std::string& warning);

}  // namespace quern
