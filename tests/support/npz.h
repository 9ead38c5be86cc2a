// Reads the arrays that the scripts under tests/reference write: numpy's .npy, and .npz as np.savez
// writes it (entries stored, not deflated; np.savez_compressed is refused with a clear error).
// Arrays must be little-endian and in C order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/result.h"

namespace quern::testing {

struct Array {
  std::string dtype;           // numpy's name: "<f4", "<i8", "|u1", "<U12", ...
  std::vector<int64_t> shape;  // empty for a scalar
  std::vector<std::byte> bytes;

  int64_t size() const {  // elements
    int64_t n = 1;
    for (const int64_t d : shape) n *= d;
    return n;
  }
  // The elements; T must be as wide as the dtype.
  template <class T>
  std::span<const T> as() const {
    CHECK(bytes.size() == static_cast<size_t>(size()) * sizeof(T), "Array::as of another width");
    return {reinterpret_cast<const T*>(bytes.data()), static_cast<size_t>(size())};
  }
  // One string of "<U.." (what numpy makes of str) or "|S..": element i, without the zero padding;
  // UTF-8.
  std::string text(int64_t i = 0) const;
};

using Arrays = std::map<std::string, Array>;

Result<Array> read_npy(const std::string& path);
Result<Arrays> read_npz(const std::string& path);

}  // namespace quern::testing
