// What the ids of a program stand for: the weights themselves, and pointers to them, found once
// when an executor is made, so that steps find theirs by an index.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/cpu/program.h"
#include "base/mapped_file.h"
#include "base/result.h"
#include "formats/weight_source.h"

namespace quern::cpu {

struct ProgramWeights {
  std::shared_ptr<const WeightSource> source;  // of what is read as the model's file has it
  WeightMemory memory;                         // packed matrices in the order of their use,
  std::optional<MappedFile> file;              // or a file that has them
  std::vector<float> vectors;

  std::span<const std::byte> packed() const {
    return file ? file->bytes() : std::span<const std::byte>(memory.data(), memory.bytes());
  }
  std::string text() const;  // for print()
};

struct Pointers {
  // By id; of a matrix either.
  std::vector<PackedMatrix> packed;
  std::vector<QuantMatrix> sources;
  std::vector<const float*> vectors;
};

// The program is whole (check(program)). Errors: corrupt (a matrix or vector that the weights do
// not have in this shape: named).
Result<Pointers> find_pointers(const Program& program, const ProgramWeights& weights);

}  // namespace quern::cpu
