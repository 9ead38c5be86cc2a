// This machine's processor, as a target of the compiler.
#pragma once
#include "backend/target.h"

namespace quern::cpu {

const Target& target();

}  // namespace quern::cpu
