// Values to buffers. Slices are columns of their input; an op whose input nobody reads afterwards
// works in place; buffers whose lifetimes do not meet share memory.
#include <algorithm>
#include <utility>

#include "backend/cpu/lower/lowering.h"

namespace quern::cpu {
namespace {

constexpr int64_t kAlign = 64;
int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

Element element_of(const Lowering& c, NodeId id) {
  const Element element = c.graph.nodes[id].shape.element;
  return c.options.numerics == Numerics::exact && element == Element::f32 ? Element::f64 : element;
}

int64_t row_bytes(const Lowering& c, NodeId id) {
  const Shape& shape = c.graph.nodes[id].shape;
  if (shape.element == Element::int8) {
    int terms = 1;
    for (const RowForm form : c.forms[id][0].of) terms = std::max(terms, n_terms(form));
    return terms * activation_bytes(shape.width);
  }
  // An odd number of lines apart, rows spread over the sets of a cache.
  const int64_t bytes = padded(shape.width, kPanelRows) * bytes_of(element_of(c, id));
  return bytes / kAlign % 2 ? bytes : bytes + kAlign;
}

// The step a node will be part of, as emit makes them: row ops that follow each other share one.
// Lifetimes are counted in steps, since within one all rows are under way at once.
std::vector<int> number_steps(const Graph& graph) {
  std::vector<int> step_of;
  int step = 0;
  bool open = false;
  Rows rows = Rows::tokens;
  for (const Node& node : graph.nodes) {
    if (node.op == Op::linear || node.op == Op::attention) {
      step += 2;  // a row op may go before it: the residual's copy, the append of keys and values
      open = false;
    } else if (node.op != Op::slice) {
      if (!open || rows != node.shape.rows) ++step;
      open = true;
      rows = node.shape.rows;
    }
    step_of.push_back(step);
  }
  return step_of;
}

struct Lifetime {
  int first, last;
};  // steps

class Planner {
 public:
  explicit Planner(Lowering& c) : c_(c), users_(users(c.graph)), step_of_(number_steps(c.graph)) {}

  void run() {
    for (size_t i = 0; i < c_.graph.nodes.size(); ++i) place(static_cast<NodeId>(i));
    // Nobody reads the logits in the graph, but the caller does after the last step.
    lives_[c_.views[c_.graph.logits].buffer].last = step_of_.back() + 1;
    lay_out();
    c_.program.logits = c_.views[c_.graph.logits].buffer;
    c_.program.hidden = c_.views[c_.graph.hidden];
    c_.program.width = c_.graph.nodes[c_.graph.hidden].shape.width;
  }

 private:
  // The input a node may overwrite: the one it is the last to read. Every value that shares the
  // columns counts; slices of other columns do not.
  NodeId overwritable(NodeId id) const {
    const Node& node = c_.graph.nodes[id];
    const bool can = node.op == Op::rope || node.op == Op::add || node.op == Op::scale ||
                     node.op == Op::round_int8 ||
                     (node.op == Op::linear && node.inputs.size() == 2);
    if (!can) return -1;
    const NodeId input = node.inputs[node.op == Op::linear ? 1 : 0];
    if (c_.graph.nodes[input].shape != node.shape || input == c_.graph.hidden) return -1;
    return users_[input].back() == id && !has_slices(input) ? input : -1;
  }

  bool has_slices(NodeId id) const {
    return std::ranges::any_of(users_[id],
                               [&](NodeId user) { return c_.graph.nodes[user].op == Op::slice; });
  }

  void place(NodeId id) {
    const Node& node = c_.graph.nodes[id];
    View view;
    if (node.op == Op::slice) {
      view = c_.views[node.inputs[0]];
      view.column += std::get<Slice>(node.attributes).column;
    } else if (const NodeId input = overwritable(id); input >= 0) {
      view = c_.views[input];
    } else {
      view.buffer = static_cast<int>(c_.program.buffers.size());
      c_.program.buffers.push_back(
          {node.shape.rows, element_of(c_, id), node.shape.width, row_bytes(c_, id)});
      lives_.push_back({step_of_[id] - 1, step_of_[id]});
    }
    c_.views.push_back(view);
    const int last = step_of_[users_[id].empty() ? id : users_[id].back()];
    lives_[view.buffer].last = std::max(lives_[view.buffer].last, last);
  }

  // First fit: the lowest offset at which no buffer alive at the same time stands.
  void lay_out() {
    std::vector<Buffer>& buffers = c_.program.buffers;
    for (size_t i = 0; i < buffers.size(); ++i) {
      const int64_t bytes = padded(buffers[i].row_bytes * c_.options.max_rows, kAlign);
      std::vector<std::pair<int64_t, int64_t>> taken;
      for (size_t j = 0; j < i; ++j)
        if (lives_[j].first <= lives_[i].last && lives_[i].first <= lives_[j].last)
          taken.emplace_back(
              buffers[j].offset,
              buffers[j].offset + padded(buffers[j].row_bytes * c_.options.max_rows, kAlign));
      std::ranges::sort(taken);
      int64_t offset = 0;
      for (const auto& [first, last] : taken) {
        if (offset + bytes <= first) break;
        offset = std::max(offset, last);
      }
      buffers[i].offset = offset;
      c_.program.arena_bytes = std::max(c_.program.arena_bytes, offset + bytes);
    }
  }

  Lowering& c_;
  const std::vector<std::vector<NodeId>> users_;
  const std::vector<int> step_of_;
  std::vector<Lifetime> lives_;  // per buffer
};

}  // namespace

Result<> plan(Lowering& c) {
  c.program.max_rows = c.options.max_rows;
  Planner(c).run();
  return Ok{};
}

}  // namespace quern::cpu
