// How the functions of the vector vocabulary are declared: always inlined, so that no code compiled
// for one instruction set is ever shared with a file compiled for another.
#pragma once

#define QUERN_SIMD [[gnu::always_inline]] static inline
// Loops over register tiles: the trip count is a constant and the arrays must become registers.
#define QUERN_UNROLL _Pragma("GCC unroll 32")
