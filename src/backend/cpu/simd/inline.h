// How the functions of the vector vocabulary are declared: always inlined, so that no code compiled
// for one instruction set is ever shared with a file compiled for another.
#pragma once

#define QUERN_SIMD [[gnu::always_inline]] static inline
// The same for members and for functions of files that have no instruction set.
#define QUERN_INLINE [[gnu::always_inline]] inline
// Loops over register tiles: the trip count is a constant and the arrays must become registers.
// Plain C++ has no registers to fill: there, unrolling would only make the compiler work for half a
// minute. QUERN_NEON is set for the files of its instruction sets: every file for ARM may use NEON.
#if defined(__AVX2__) || defined(QUERN_NEON) || defined(__wasm_simd128__)
#define QUERN_UNROLL _Pragma("GCC unroll 32")
#else
#define QUERN_UNROLL
#endif
