// Tables with a row for every value of an enum, checked while compiling: a value without a row, a
// row too many, or two rows that changed places do not build.
//
//   struct Row { Op of; const char* name; };
//   constexpr Row kRows[] = {{Op::add, "add"}, ...};
//   static_assert(has_row_for_each(kRows));
//   ... row_of(kRows, op).name ...
#pragma once
#include <cstddef>
#include <string_view>

namespace quern {

// How the compiler spells a value: "quern::Op::add" if it has a name, "(quern::Op)13" or "13" if
// not.
template <auto value>
constexpr bool is_enumerator() {
  std::string_view text = __PRETTY_FUNCTION__;
  text = text.substr(0, text.size() - 1);  // the bracket that closes the list of arguments
  while (text.back() >= '0' && text.back() <= '9') text = text.substr(0, text.size() - 1);
  return text.back() != ')' && text.back() != ' ' && text.back() != '-';
}

// How many values the enum has, which count up from 0; without a last one named `count`.
template <class E, int n = 0>
constexpr int enum_size() {
  if constexpr (requires { E::count; }) {
    return static_cast<int>(E::count);
  } else if constexpr (is_enumerator<static_cast<E>(n)>()) {
    return enum_size<E, n + 1>();
  } else {
    static_assert(n > 0, "an enum whose values do not count up from 0");
    return n;
  }
}

// Rows have a member `of`, the value that they are for.
template <class Row, size_t n>
constexpr bool has_row_for_each(const Row (&rows)[n]) {
  using E = decltype(Row::of);
  if (n != static_cast<size_t>(enum_size<E>())) return false;
  for (size_t i = 0; i < n; ++i)
    if (rows[i].of != static_cast<E>(i)) return false;
  return true;
}

template <class Row, size_t n>
constexpr const Row& row_of(const Row (&rows)[n], decltype(Row::of) value) {
  return rows[static_cast<size_t>(value)];
}

// The plainest table: a word for each value.
template <class E>
struct EnumName {
  E of;
  const char* text;
};

}  // namespace quern
