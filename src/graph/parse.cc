// Reads what print writes. The grammar, one line a node, blanks between words:
//   node   = "%" number "=" op "(" [inputs] ")" [fields {"," fields}] ":" shape
//   inputs = "%" number {"," "%" number}
//   fields = {name "=" value}     each, in the order of graph/attribute_fields.h
//   shape  = ("tokens" | "used") "x" width ["int8" | "f64"]
//   last   = "hidden" "%" number "," "logits" "%" number
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>
#include <version>

#include "graph/attribute_fields.h"

namespace quern {
namespace {

// How many characters of `text` begin it with a number of this type: 0 if none do.
template <class T>
size_t read_number(std::string_view text, T& value) {
#ifndef __cpp_lib_to_chars  // clang's library has no from_chars for these
  if constexpr (std::is_floating_point_v<T>) {
    const std::string word(text.substr(0, text.find_first_of(" ,\n")));
    if (word.empty()) return 0;
    char* end = nullptr;
    if constexpr (std::is_same_v<T, float>)
      value = std::strtof(word.c_str(), &end);
    else
      value = std::strtod(word.c_str(), &end);
    return static_cast<size_t>(end - word.c_str());
  } else
#endif
  {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() ? static_cast<size_t>(end - text.data()) : 0;
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The index of the name of an enum's value; -1: there is none.
template <class Name>
int index_of(std::string_view word, int count, Name&& name) {
  for (int i = 0; i < count; ++i)
    if (word == name(i)) return i;
  return -1;
}

// The attributes of this index in the variant, with nothing in them.
template <int i = 0>
Attributes empty_attributes(int index) {
  if constexpr (i + 1 < static_cast<int>(std::variant_size_v<Attributes>))
    if (index != i) return empty_attributes<i + 1>(index);
  return Attributes(std::in_place_index<i>);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Graph> graph() {
    Graph graph;
    while (!take("hidden")) {
      TRY(Node read, node(std::ssize(graph.nodes)));
      graph.nodes.push_back(std::move(read));
    }
    TRY(graph.hidden, id());
    TRY_OK(expect(","));
    TRY_OK(expect("logits"));
    TRY(graph.logits, id());
    while (take("\n")) {
    }
    if (at_ != text_.size()) return expected("the end of the graph");
    TRY_OK(verify(graph));
    return graph;
  }

  // A value stands right behind its name's "=".
  template <class T>
  Result<> value_here(T& out) {
    if (text_.substr(at_).starts_with(' ')) return expected("a value behind '='");
    return value(out);
  }

  // Whether the text goes on with this, behind blanks; then it is behind it.
  bool take(std::string_view wanted) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(wanted)) return false;
    at_ += wanted.size();
    return true;
  }
  Result<> expect(std::string_view wanted) {
    return take(wanted) ? Result<>(Ok{}) : expected("'" + std::string(wanted) + "'");
  }

 private:
  Result<Node> node(int64_t index) {
    const std::string name = "%" + std::to_string(index) + " =";
    if (!take(name)) return expected("'" + name + "' or 'hidden'");
    Node node{};
    TRY(node.op, op());
    TRY(node.inputs, inputs());
    node.attributes = empty_attributes(info(node.op).attributes);
    TRY_OK(std::visit([&](auto& attributes) { return fields(attributes); }, node.attributes));
    TRY_OK(expect(":"));
    TRY(node.shape, shape());
    TRY_OK(expect("\n"));
    return node;
  }

  Result<Op> op() {
    constexpr int kCount = static_cast<int>(Op::count);
    const auto name = [](int i) { return info(static_cast<Op>(i)).name; };
    const size_t begin = at_;
    const int found = index_of(word(is_plain_in_name), kCount, name);
    if (found >= 0) return static_cast<Op>(found);
    std::string known;
    for (int i = 0; i < kCount; ++i) known += std::string(i ? ", " : "an op (") + name(i);
    at_ = begin;
    return expected(known + ")");
  }

  Result<std::vector<NodeId>> inputs() {
    std::vector<NodeId> ids;
    TRY_OK(expect("("));
    if (take(")")) return ids;
    do {
      TRY(ids.emplace_back(), id());
    } while (take(","));
    TRY_OK(expect(")"));
    return ids;
  }

  Result<Shape> shape() {
    Shape shape{};
    TRY(shape.rows, one_of(kRowNames, "tokens or used"));
    TRY_OK(expect("x"));
    TRY_OK(value(shape.width));
    skip_blanks();
    if (at_ < text_.size() && text_[at_] != '\n') {
      TRY(shape.element, one_of(kElementNames, "int8, f64 or the end of the line"));
    }
    return shape;
  }

  Result<NodeId> id() {
    NodeId id = 0;
    TRY_OK(expect("%"));
    TRY_OK(value(id));
    return id;
  }

  template <class E, size_t n>
  Result<E> one_of(const EnumName<E> (&names)[n], const std::string& what) {
    const size_t begin = at_;
    const int found = index_of(word(is_plain_in_name), n, [&](int i) { return names[i].text; });
    if (found >= 0) return static_cast<E>(found);
    at_ = begin;
    return expected(what);
  }

  template <class T>
  Result<> fields(T& attributes);
  Result<> fields(Linear& linear) {
    do {
      TRY_OK(fields(linear.parts.emplace_back()));
    } while (take(","));
    return Ok{};
  }

  template <class T>
  Result<> number(T& out, const std::string& what) {
    skip_blanks();
    const size_t n = read_number(text_.substr(at_), out);
    if (n == 0) return expected(what);
    at_ += n;
    return Ok{};
  }

  // Behind the quotation mark. Control characters, \ and " are written as \xHH.
  Result<> quoted(std::string& out) {
    out.clear();
    while (at_ < text_.size() && text_[at_] != '\n') {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return Ok{};
      }
      if (c != '\\') {
        out += c;
        ++at_;
        continue;
      }
      const std::string_view code = text_.substr(at_, 4);
      const bool whole = code.size() == 4 && code[1] == 'x';
      const int high = whole ? hex_digit(code[2]) : -1, low = whole ? hex_digit(code[3]) : -1;
      if (high < 0 || low < 0) return expected("\\x and two hexadecimal digits");
      out += static_cast<char>(high * 16 + low);
      at_ += 4;
    }
    return expected("'\"'");
  }

  Result<> value(int& out) { return number(out, "a whole number of 32 bits"); }
  Result<> value(float& out) { return number(out, "a number"); }
  Result<> value(double& out) { return number(out, "a number"); }
  Result<> value(bool& out) {
    out = take("true");
    return out || take("false") ? Result<>(Ok{}) : expected("true or false");
  }
  Result<> value(std::string& out) {
    if (take("\"")) return quoted(out);
    out = word(is_plain_in_name);
    return out.empty() ? Result<>(expected("a name")) : Ok{};
  }

  std::string word(bool (*belongs)(char)) {
    skip_blanks();
    const size_t begin = at_;
    while (at_ < text_.size() && belongs(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }
  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  Error expected(const std::string& what) {
    skip_blanks();
    const std::string_view before = text_.substr(0, at_), rest = text_.substr(at_);
    const size_t column = at_ - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    const std::string_view found = rest.substr(0, std::min<size_t>(rest.find_first_of(" \n"), 24));
    std::string what_is_there = "'" + std::string(found) + "'";
    if (found.empty()) what_is_there = rest.empty() ? "the end" : "the end of the line";
    return {Code::invalid_argument, "expected " + what + ", found " + what_is_there,
            "graph, line " + std::to_string(1 + std::ranges::count(before, '\n')) + ", column " +
                std::to_string(column),
            ""};
  }

  std::string_view text_;
  size_t at_ = 0;
};

struct FieldReader {
  Parser& parser;
  Result<> outcome = Ok{};  // of the first field that cannot be read

  template <class T>
  void operator()(std::string_view name, T& value) {
    if (outcome) outcome = parser.expect(std::string(name) + "=");
    if (outcome) outcome = parser.value_here(value);
  }
  template <class T>
  void operator()(std::string_view name, T& value, const std::type_identity_t<T>& usual) {
    value = usual;
    if (outcome && parser.take(std::string(name) + "=")) outcome = parser.value_here(value);
  }
};

template <class T>
Result<> Parser::fields(T& attributes) {
  FieldReader reader{*this};
  visit_fields(attributes, reader);
  return reader.outcome;
}

}  // namespace

Result<Graph> parse(std::string_view text) { return Parser(text).graph(); }

}  // namespace quern
