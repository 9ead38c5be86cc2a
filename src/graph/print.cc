#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <type_traits>

#include "graph/attribute_fields.h"

namespace quern {
namespace {

std::string written(const std::string& name) {
  if (!name.empty() && std::ranges::all_of(name, is_plain_in_name)) return name;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "\"";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || c == '"' || c == '\\')
      text += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    else
      text += c;
  }
  return text + "\"";
}

std::string written(bool value) { return value ? "true" : "false"; }
std::string written(int value) { return std::to_string(value); }

// The shortest decimal that reads back as this number.
template <class T>
requires std::is_floating_point_v<T> std::string written(T value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof(digits), value).ptr};
}

template <class T>
bool is_usual(const T& value, const T& usual) {
  if constexpr (std::is_floating_point_v<T>)  // a zero with a sign is another number
    return value == usual && std::signbit(value) == std::signbit(usual);
  else
    return value == usual;
}

struct FieldPrinter {
  std::string& text;

  template <class T>
  void operator()(std::string_view name, const T& value) {
    text += " " + std::string(name) + "=" + written(value);
  }
  template <class T>
  void operator()(std::string_view name, const T& value, const std::type_identity_t<T>& usual) {
    if (!is_usual(value, usual)) (*this)(name, value);
  }
};

struct AttributePrinter {
  std::string& text;

  template <class T>
  void operator()(T attributes) const {
    visit_fields(attributes, FieldPrinter{text});
  }
  void operator()(const Linear& linear) const {
    for (size_t i = 0; i < linear.parts.size(); ++i) {
      if (i > 0) text += ",";
      (*this)(linear.parts[i]);
    }
  }
};

}  // namespace

std::string print(const Graph& graph) {
  std::string text;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    text += "%" + std::to_string(i) + " = " + info(node.op).name + "(";
    for (size_t j = 0; j < node.inputs.size(); ++j)
      text += (j ? ", %" : "%") + std::to_string(node.inputs[j]);
    text += ")";
    std::visit(AttributePrinter{text}, node.attributes);
    text += std::string(" : ") + row_of(kRowNames, node.shape.rows).text + " x " +
            std::to_string(node.shape.width);
    if (node.shape.element != Element::f32)
      text += std::string(" ") + row_of(kElementNames, node.shape.element).text;
    text += "\n";
  }
  return text + "hidden %" + std::to_string(graph.hidden) + ", logits %" +
         std::to_string(graph.logits) + "\n";
}

}  // namespace quern
