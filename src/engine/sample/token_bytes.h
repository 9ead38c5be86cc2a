// The bytes of every token of a vocabulary in one piece of memory.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

class TokenBytes {
 public:
  TokenBytes() = default;
  TokenBytes(int n_vocab, const std::function<std::string(int32_t)>& bytes_of) {
    ends_.reserve(n_vocab);
    for (int32_t id = 0; id < n_vocab; ++id) {
      bytes_ += bytes_of(id);
      ends_.push_back(bytes_.size());
    }
  }

  int n_vocab() const { return static_cast<int>(ends_.size()); }
  std::string_view operator[](int32_t id) const {
    const size_t begin = id == 0 ? 0 : ends_[id - 1];
    return std::string_view(bytes_).substr(begin, ends_[id] - begin);
  }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

}  // namespace quern
