// Whether the tests run on a processor that is emulated (./dev test oldx86 arm wasm), where
// everything takes some fifty times as long. Those that try many sizes then try a few, each path
// and each edge at least once; those that hold every instruction set to itself take the best, which
// is what such a run is for, as all are held to the scalar one elsewhere.
#pragma once
#include <cstdlib>

namespace quern {

inline bool runs_emulated() { return std::getenv("QUERN_EMULATED") != nullptr; }

// How often, or how large: `whole`, but `few` on an emulated processor.
inline int at_most_if_emulated(int whole, int few) { return runs_emulated() ? few : whole; }

}  // namespace quern
