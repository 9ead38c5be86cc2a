// The targets of this build. Only targets.cc knows more of them than their interface.
#pragma once
#include <span>
#include <string_view>

#include "backend/target.h"

namespace quern {

std::span<const Target* const> targets();
// By name; empty: the first. Errors: unsupported, with those that there are.
Result<const Target*> find_target(std::string_view name);
// The one that is used where none is asked for.
const Target& default_target();

}  // namespace quern
