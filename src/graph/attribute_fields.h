// The members of every kind of attributes by name: what print writes is what parse reads. A member
// that is not listed here does not compile.
#pragma once
#include "base/enum_table.h"
#include "graph/graph.h"

namespace quern {

// Calls visit(name, member) for each member that is always written, and visit(name, member, usual)
// for those that are left out where they have their usual value.
template <class Visit>
void visit_fields(std::monostate&, Visit&&) {}

template <class Visit>
void visit_fields(Embed& a, Visit&& visit) {
  auto& [weight, n_vocab] = a;
  visit("weight", weight);
  visit("n_vocab", n_vocab);
}

template <class Visit>
void visit_fields(LinearPart& a, Visit&& visit) {
  auto& [weight, bias, width] = a;
  visit("weight", weight);
  visit("bias", bias, "");
  visit("width", width);
}

template <class Visit>
void visit_fields(Norm& a, Visit&& visit) {
  auto& [weight, epsilon] = a;
  visit("weight", weight);
  visit("epsilon", epsilon);
}

template <class Visit>
void visit_fields(Rope& a, Visit&& visit) {
  auto& [head_dim, rotated, theta, scale, interleaved, factors] = a;
  visit("head_dim", head_dim);
  visit("rotated", rotated);
  visit("theta", theta);
  visit("scale", scale, 1.0f);
  visit("interleaved", interleaved, false);
  visit("factors", factors, "");
}

template <class Visit>
void visit_fields(Attention& a, Visit&& visit) {
  auto& [layer, n_heads, n_kv_heads, head_dim, window, scale, softcap, value_dim] = a;
  visit("layer", layer);
  visit("n_heads", n_heads);
  visit("n_kv_heads", n_kv_heads);
  visit("head_dim", head_dim);
  visit("window", window, 0);
  visit("scale", scale);
  visit("softcap", softcap, 0.0f);
  visit("value_dim", value_dim, 0);
}

template <class Visit>
void visit_fields(Slice& a, Visit&& visit) {
  auto& [column] = a;
  visit("column", column);
}

template <class Visit>
void visit_fields(Scale& a, Visit&& visit) {
  auto& [weight] = a;
  visit("weight", weight);
}

// What a name may have in it that is written without quotation marks.
inline bool is_plain_in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '/';
}

constexpr EnumName<Rows> kRowNames[] = {{Rows::tokens, "tokens"}, {Rows::used, "used"}};
// f32 is not written.
constexpr EnumName<Element> kElementNames[] = {
    {Element::f32, "f32"}, {Element::int8, "int8"}, {Element::f64, "f64"}};
static_assert(has_row_for_each(kRowNames) && has_row_for_each(kElementNames));

}  // namespace quern
