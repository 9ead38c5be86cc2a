// The table of ops: name, arity, shape rule, work.
#include <limits>
#include <string>
#include <type_traits>

#include "base/enum_table.h"
#include "graph/graph.h"

namespace quern {
namespace {

constexpr int64_t kMaxWidth = std::numeric_limits<int>::max();

const Shape& input(const Graph& g, const Node& n, int i) { return g.nodes[n.inputs[i]].shape; }

std::string text(const Shape& s) {
  return std::string(s.rows == Rows::tokens ? "tokens" : "used") + " x " + std::to_string(s.width) +
         (s.element == Element::int8 ? " int8" : "");
}

Error mismatch(const Node& n, const std::string& what) {
  return Error{Code::invalid_argument, std::string(info(n.op).name) + ": " + what, "graph", ""};
}

Result<Shape> embed_shape(const Graph&, const Node& n) {
  if (n.shape.width <= 0) return mismatch(n, "width " + std::to_string(n.shape.width));
  return Shape{Rows::tokens, n.shape.width};
}

Result<Shape> linear_shape(const Graph& g, const Node& n) {
  const auto& linear = std::get<Linear>(n.attributes);
  if (linear.parts.empty()) return mismatch(n, "no weight");
  int64_t width = 0;
  for (const LinearPart& part : linear.parts) {
    if (part.width <= 0)
      return mismatch(n, part.weight + " has width " + std::to_string(part.width));
    width += part.width;
  }
  if (width > kMaxWidth) return mismatch(n, "width " + std::to_string(width));
  const Shape out = {input(g, n, 0).rows, static_cast<int>(width)};
  if (n.inputs.size() == 2 && input(g, n, 1) != out)
    return mismatch(n, "residual " + text(input(g, n, 1)) + " against " + text(out));
  return out;
}

Result<Shape> same_shape(const Graph& g, const Node& n) {
  for (size_t i = 1; i < n.inputs.size(); ++i)
    if (input(g, n, static_cast<int>(i)) != input(g, n, 0))
      return mismatch(n,
                      text(input(g, n, 0)) + " against " + text(input(g, n, static_cast<int>(i))));
  if (input(g, n, 0).element != Element::f32) return mismatch(n, "needs f32 rows");
  return input(g, n, 0);
}

Result<Shape> rope_shape(const Graph& g, const Node& n) {
  const auto& rope = std::get<Rope>(n.attributes);
  const Shape& x = input(g, n, 0);
  if (rope.rotated <= 0 || rope.rotated > rope.head_dim || rope.rotated % 2 != 0)
    return mismatch(n, "turns " + std::to_string(rope.rotated) + " of " +
                           std::to_string(rope.head_dim) + " dims");
  if (x.width % rope.head_dim != 0) return mismatch(n, text(x) + " is no whole number of heads");
  return same_shape(g, n);
}

Result<Shape> attention_shape(const Graph& g, const Node& n) {
  const auto& a = std::get<Attention>(n.attributes);
  const int value_dim = a.value_dim > 0 ? a.value_dim : a.head_dim;
  const int64_t q = int64_t{a.n_heads} * a.head_dim, k = int64_t{a.n_kv_heads} * a.head_dim,
                v = int64_t{a.n_kv_heads} * value_dim;
  if (a.head_dim <= 0 || a.value_dim < 0)
    return mismatch(n, "heads of " + std::to_string(std::min(a.head_dim, value_dim)));
  if (a.n_heads <= 0 || a.n_kv_heads <= 0 || a.n_heads % a.n_kv_heads != 0)
    return mismatch(
        n, std::to_string(a.n_heads) + " heads over " + std::to_string(a.n_kv_heads) + " kv heads");
  if (input(g, n, 0).width != q || input(g, n, 1).width != k || input(g, n, 2).width != v)
    return mismatch(n, "q " + text(input(g, n, 0)) + ", k " + text(input(g, n, 1)) + ", v " +
                           text(input(g, n, 2)));
  const int64_t out = int64_t{a.n_heads} * value_dim;
  if (out > kMaxWidth) return mismatch(n, "width " + std::to_string(out));
  return Shape{Rows::tokens, static_cast<int>(out)};
}

Result<Shape> pick_shape(const Graph& g, const Node& n) {
  if (input(g, n, 0).rows != Rows::tokens) return mismatch(n, "rows are picked already");
  return Shape{Rows::used, input(g, n, 0).width};
}

Result<Shape> slice_shape(const Graph& g, const Node& n) {
  const int column = std::get<Slice>(n.attributes).column;
  if (column < 0 || n.shape.width <= 0 || column > input(g, n, 0).width - n.shape.width)
    return mismatch(n, "columns past " + text(input(g, n, 0)));
  return Shape{input(g, n, 0).rows, n.shape.width};
}

Result<Shape> quantize_shape(const Graph& g, const Node& n) {
  if (input(g, n, 0).element != Element::f32) return mismatch(n, "input is quantized already");
  return Shape{input(g, n, 0).rows, input(g, n, 0).width, Element::int8};
}

double no_flops(const Graph&, const Node&) { return 0; }
double linear_flops(const Graph& g, const Node& n) {
  return 2.0 * input(g, n, 0).width * n.shape.width;
}
double row_flops(const Graph&, const Node& n) { return 4.0 * n.shape.width; }

// Where T stands in Attributes.
template <class T, size_t i = 0>
constexpr int attributes() {
  if constexpr (std::is_same_v<std::variant_alternative_t<i, Attributes>, T>)
    return static_cast<int>(i);
  else
    return attributes<T, i + 1>();
}
constexpr int kNone = attributes<std::monostate>();

constexpr OpInfo kOps[] = {
    {Op::embed, "embed", 0, 0, attributes<Embed>(), embed_shape, no_flops},
    {Op::linear, "linear", 1, 2, attributes<Linear>(), linear_shape, linear_flops},
    {Op::rms_norm, "rms_norm", 1, 1, attributes<Norm>(), same_shape, row_flops},
    {Op::rope, "rope", 1, 1, attributes<Rope>(), rope_shape, row_flops},
    {Op::attention, "attention", 3, 3, attributes<Attention>(), attention_shape, no_flops},
    {Op::swiglu, "swiglu", 2, 2, kNone, same_shape, row_flops},
    {Op::relu2glu, "relu2glu", 2, 2, kNone, same_shape, row_flops},
    {Op::add, "add", 2, 2, kNone, same_shape, row_flops},
    {Op::scale, "scale", 1, 1, attributes<Scale>(), same_shape, row_flops},
    {Op::round_int8, "round_int8", 1, 1, kNone, same_shape, row_flops},
    {Op::pick_used, "pick_used", 1, 1, kNone, pick_shape, no_flops},
    {Op::slice, "slice", 1, 1, attributes<Slice>(), slice_shape, no_flops},
    {Op::quantize, "quantize", 1, 1, kNone, quantize_shape, row_flops},
};
static_assert(has_row_for_each(kOps));

}  // namespace

const OpInfo& info(Op op) { return row_of(kOps, op); }

}  // namespace quern
