#include "backend/target.h"

#include "base/same_name.h"

namespace quern {

bool wants_dump(const CompileOptions& options, std::string_view step) {
  return options.dump_out && (same_name(options.dump, step) || same_name(options.dump, "all"));
}

Tuning usual_tuning(const Target& target) {
  Tuning usual;
  for (const TuningParameter& parameter : target.tuning_parameters())
    usual.push_back(parameter.usual);
  return usual;
}

}  // namespace quern
