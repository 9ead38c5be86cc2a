// Finds every weight the graph names and checks its type and shape: after this step nothing can be
// missing.
#include <string>

#include "compile/compilation.h"

namespace quern {
namespace {

std::string shape_text(const std::vector<int64_t>& dims) {
  std::string text;
  for (int64_t d : dims) text += (text.empty() ? "" : " x ") + std::to_string(d);
  return text;
}

Error damaged(const Compilation& c, const std::string& what) {
  return Error{Code::corrupt, what, c.weights.source->path(),
               "the file is damaged or incomplete: download it again"};
}

Result<const Weight*> find(const Compilation& c, const std::string& name,
                           const std::vector<int64_t>& dims) {
  const Weight* weight = c.weights.source->find(name);
  if (!weight) return damaged(c, "tensor " + name + " is missing");
  if (weight->dims != dims)
    return damaged(
        c, "tensor " + name + " is " + shape_text(weight->dims) + ", expected " + shape_text(dims));
  if (!find_format(weight->dtype))
    return Error{Code::unsupported,
                 "tensor " + name + " is of type " + std::string(info(weight->dtype).name) +
                     ", which holds no weights",
                 c.weights.source->path(), ""};
  return weight;
}

Result<> bind_matrix(Compilation& c, const std::string& name, int n_out, int n_in) {
  TRY(const Weight* weight, find(c, name, {n_out, n_in}));
  c.weights.matrices[name] = {{weight->dtype, n_out, n_in, weight->data},
                              find_format(weight->dtype)};
  return Ok{};
}

Result<> bind_vector(Compilation& c, const std::string& name, int n) {
  TRY(const Weight* weight, find(c, name, {n}));
  c.weights.vectors[name] = {{weight->dtype, 1, n, weight->data}, find_format(weight->dtype)};
  return Ok{};
}

struct Binder {
  Compilation& c;
  const Node& node;

  Result<> operator()(const Embed& e) const {
    return bind_matrix(c, e.weight, e.n_vocab, node.shape.width);
  }
  Result<> operator()(const Linear& l) const {
    const int n_in = c.graph.nodes[node.inputs[0]].shape.width;
    for (const LinearPart& part : l.parts) {
      TRY_OK(bind_matrix(c, part.weight, part.width, n_in));
      if (!part.bias.empty()) TRY_OK(bind_vector(c, part.bias, part.width));
    }
    return Ok{};
  }
  Result<> operator()(const Norm& n) const { return bind_vector(c, n.weight, node.shape.width); }
  Result<> operator()(const Rope& r) const {
    if (r.factors.empty()) return Ok{};
    return bind_vector(c, r.factors, r.rotated / 2);
  }
  Result<> operator()(const Scale& s) const { return bind_vector(c, s.weight, 1); }
  template <class T>
  Result<> operator()(const T&) const {
    return Ok{};
  }
};

}  // namespace

Result<> bind(Compilation& c) {
  for (const Node& node : c.graph.nodes) TRY_OK(std::visit(Binder{c, node}, node.attributes));
  return Ok{};
}

}  // namespace quern
