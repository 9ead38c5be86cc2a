// Whether the tests run on a processor that is emulated (./dev test oldx86 arm), where everything
// takes some fifty times as long: those that try many sizes then try a few, each path at least
// once.
#pragma once
#include <cstdlib>

namespace quern {

inline bool runs_emulated() { return std::getenv("QUERN_EMULATED") != nullptr; }

}  // namespace quern
