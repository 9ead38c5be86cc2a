// Programs as bytes, to be kept in a file and read again. Little-endian:
//
//   "QUERNPRG" | u32 version | u32 version of packed weights | u64 checksum of what follows
//   the members of Program in their order
//
// A list is a u64 length and its items, a text likewise, an enum a byte, a step the number of its
// kind and its members. Weights are named by tensor and offset; their bytes lie elsewhere.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "backend/cpu/program.h"
#include "base/result.h"

namespace quern::cpu {

// To be raised when members of Program or its steps change, or what they mean.
inline constexpr uint32_t kProgramVersion = 2;

std::vector<std::byte> to_bytes(const Program& program);

// `name` stands for where the bytes come from. Errors: corrupt (damaged, or a program that check()
// refuses), unsupported (of another version).
Result<Program> program_from_bytes(std::span<const std::byte> bytes, const std::string& name);

// Whether a program is safe to run on weights that are there in its shapes: every id, view, buffer
// and shape fits the others. Errors: corrupt, with the step and what is wrong with it.
Result<> check(const Program& program);

}  // namespace quern::cpu
