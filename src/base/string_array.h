// Strings one behind the other, each after its 64-bit length: the way GGUF files keep an array of
// them. Those of a mapped file are viewed where they lie, since a vocabulary has half a million.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

class StringArray {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    Iterator() = default;
    explicit Iterator(const char* at) : at_(at) {}
    std::string_view operator*() const { return {at_ + sizeof(uint64_t), length()}; }
    Iterator& operator++() {
      at_ += sizeof(uint64_t) + length();
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(Iterator, Iterator) = default;

   private:
    size_t length() const {
      uint64_t length;
      std::memcpy(&length, at_, sizeof length);
      return static_cast<size_t>(length);
    }
    const char* at_ = nullptr;
  };

  StringArray() = default;
  StringArray(std::initializer_list<std::string_view> texts) {
    for (const std::string_view text : texts) push_back(text);
  }
  StringArray(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) push_back(text);
  }
  // The bytes hold `size` strings and nothing else, which the caller has checked, and outlive every
  // copy of this.
  static StringArray view(std::span<const std::byte> bytes, size_t size) {
    StringArray array;
    array.view_ = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    array.size_ = size;
    return array;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Iterator begin() const { return Iterator(text().data()); }
  Iterator end() const { return Iterator(text().data() + text().size()); }
  // O(index).
  std::string_view at(size_t index) const {
    return *std::next(begin(), static_cast<std::ptrdiff_t>(index));
  }
  // Lengths and strings as they lie.
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(text())); }

  // Copies what it viewed.
  void push_back(std::string_view text) {
    if (own_.empty()) own_ = view_;
    view_ = {};
    const uint64_t length = text.size();
    own_.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
    ++size_;
  }
  void clear() { *this = {}; }

  friend bool operator==(const StringArray& a, const StringArray& b) {
    return a.size_ == b.size_ && a.text() == b.text();
  }

 private:
  std::string_view text() const { return own_.empty() ? view_ : std::string_view(own_); }

  std::string_view view_;
  std::string own_;  // instead of the view unless empty
  size_t size_ = 0;
};

}  // namespace quern
