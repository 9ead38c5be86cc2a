// Tensor type ids of GGUF: which weight format an id means, and the errors for the others. The ids
// 36 to 42 were assigned twice, by ggml and by bitnet.cpp's forks; see the .cc.
#pragma once
#include <cstdint>

#include "base/dtype.h"
#include "base/result.h"
#include "formats/metadata.h"

namespace quern {

struct GgufTensor {
  uint32_t type;
  int64_t n_rows, n_cols;
  uint64_t extent;    // bytes from its offset to the next tensor's, or to the end of the file
  int64_t alignment;  // of the file
};

// Errors name the type and what is wrong; the caller adds tensor and place.
Result<Dtype> gguf_tensor_type(const GgufTensor& tensor, const Metadata& metadata);

// Why matrix_bytes refused this shape.
Error gguf_shape_error(Dtype dtype, int64_t n_rows, int64_t n_cols);

}  // namespace quern
