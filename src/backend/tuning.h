// What may be chosen for the machine at hand without changing a bit of any result, as data: a
// target names its parameters (Target::tuning_parameters), a tuner tries their values, records keep
// them.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quern {

struct TuningParameter {
  std::string name;
  int usual = 0;            // the default: good on all machines it was tried on
  std::vector<int> values;  // worth trying; the default is among them
  int n_rows = 0;           // of the passes it matters for: 1, a few (8) or a prompt's (512)
};

// A value for every parameter of a target, in the target's order.
using Tuning = std::vector<int>;

// Of every product by the name that profiles give it. An executor reads the table, so it may be
// changed between passes alone; whoever changes it counts `version` up.
struct TuningTable {
  std::map<std::string, Tuning> products;
  uint64_t version = 0;
};

}  // namespace quern
