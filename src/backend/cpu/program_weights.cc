#include "backend/cpu/program_weights.h"

#include <algorithm>

namespace quern::cpu {
namespace {

Error absent(const std::string& name) {
  return {Code::corrupt, "the weights have no " + name + " as the program needs it", "",
          "compile the model again"};
}

}  // namespace

std::string ProgramWeights::text() const {
  return std::to_string(packed().size()) + " bytes of packed weights" +
         (file ? ", mapped from " + file->path() : "");
}

Result<Pointers> find_pointers(const Program& program, const ProgramWeights& weights) {
  Pointers found;
  const std::span<const std::byte> packed = weights.packed();
  for (const ProgramMatrix& m : program.matrices) {
    const Format& format = *find_format(m.dtype);
    found.packed.emplace_back();
    found.sources.emplace_back();
    if (m.packed_at < 0) {
      const std::span<const Weight> all =
          weights.source ? weights.source->weights() : std::span<const Weight>();
      const auto weight = std::ranges::find(all, m.name, &Weight::name);
      if (weight == all.end() || weight->dtype != m.dtype ||
          weight->dims != std::vector<int64_t>{m.n_rows, m.n_cols})
        return absent(m.name);
      found.sources.back() = {m.dtype, m.n_rows, m.n_cols, weight->data};
      continue;
    }
    const int64_t bytes = packed_bytes(format, m.n_rows, m.n_cols);
    if (m.packed_at > std::ssize(packed) || bytes > std::ssize(packed) - m.packed_at)
      return absent(m.name);
    found.packed.back() = {.layout = layout_of(format),
                           .form = format.integer,
                           .n_out = m.n_rows,
                           .n_in = m.n_cols,
                           .data = packed.subspan(m.packed_at, bytes)};
  }
  for (const ProgramVector& v : program.vectors) {
    if (v.at > std::ssize(weights.vectors) || v.n > std::ssize(weights.vectors) - v.at)
      return absent(v.name);
    found.vectors.push_back(weights.vectors.data() + v.at);
  }
  return found;
}

}  // namespace quern::cpu
