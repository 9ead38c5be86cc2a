// Any bytes as a GGUF file: parsing gives an error or a sound model, and every tensor of a sound
// model decodes, whole and in integer form.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "formats/gguf.h"
#include "quant/format.h"

namespace {

using namespace quern;

constexpr int64_t kMaxCols = 1 << 16, kMaxRows = 4;  // decoded per tensor; keeps an input fast

void decode_some(const Weight& weight) {
  const Format* format = find_format(weight.dtype);
  if (format == nullptr || weight.n_cols() > kMaxCols) return;
  const QuantMatrix m{weight.dtype, weight.n_rows(), weight.n_cols(), weight.data};
  const int64_t n = std::min(kMaxRows, m.n_rows);
  std::vector<float> rows(n * m.n_cols);
  for (const int64_t first : {int64_t{0}, m.n_rows - n}) {
    format->decode(m, first, n, rows.data());
    if (format->split == nullptr) continue;
    const int64_t groups = n * m.n_cols / format->integer.group;
    std::vector<int8_t> codes(n * m.n_cols);
    std::vector<float> scales(groups), offsets(groups);
    format->split(m, first, n, codes.data(), scales.data(), offsets.data());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto source = read_gguf(bytes, "fuzz");
  if (!source) {
    CHECK(!source.error().what.empty(), "an error that says nothing");
    return 0;
  }
  for (const Weight& weight : (*source)->weights()) {
    const std::byte* begin = weight.data.data();
    CHECK(begin >= bytes.data() && begin + weight.data.size() <= bytes.data() + bytes.size(),
          "a tensor outside the file");
    CHECK((*source)->find(weight.name) == &weight, "a tensor that is not found by its name");
    decode_some(weight);
  }
  return 0;
}
