#include "compile/targets.h"

#include <string>

#include "backend/cpu/target.h"
#include "base/same_name.h"

namespace quern {
std::span<const Target* const> targets() {
  // A row per target, the default first.
  static const Target* const kTargets[] = {
      &cpu::target(),
  };
  return kTargets;
}

const Target& default_target() { return *targets().front(); }

Result<const Target*> find_target(std::string_view name) {
  std::string known;
  for (const Target* target : targets()) {
    if (name.empty() || same_name(target->name(), name)) return target;
    known += (known.empty() ? "" : ", ") + std::string(target->name());
  }
  return Error{Code::unsupported, "no target '" + std::string(name) + "' in this build", "",
               "there are: " + known};
}

}  // namespace quern
