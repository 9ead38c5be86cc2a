#include "backend/cpu/program.h"

#include <algorithm>
#include <iterator>

namespace quern::cpu {
namespace {

constexpr const char* kRowNames[] = {"embed",    "pick_used", "rms_norm", "swiglu",
                                     "relu2glu", "add",       "scale",    "round_int8",
                                     "rope",     "append",    "quantize", "copy"};
constexpr const char* kProductNames[] = {"quantized", "floating", "exact"};
constexpr const char* kLayoutNames[] = {"int2",   "int3",    "int4", "int5", "int6", "int8",
                                        "table4", "ternary", "f32",  "f16",  "bf16"};
constexpr const char* kElementNames[] = {"", " int8", " f64"};
// Every name has its place in the enum that it is of.
static_assert(std::size(kRowNames) == static_cast<size_t>(RowKind::copy) + 1);
static_assert(std::size(kProductNames) == static_cast<size_t>(ProductKind::exact) + 1);
static_assert(std::size(kLayoutNames) == static_cast<size_t>(Layout::bf16) + 1);

std::string text(const View& view) {
  if (view.buffer < 0) return "-";
  return "b" + std::to_string(view.buffer) + (view.column ? "+" + std::to_string(view.column) : "");
}

struct StepPrinter {
  const Program& program;

  std::string operator()(const RowStep& step) const {
    std::string line = "rows";
    for (const RowOp& op : step.ops) {
      line += std::string(line == "rows" ? " " : "; ") + kRowNames[static_cast<int>(op.kind)] +
              " " + text(op.in);
      if (op.in2.buffer >= 0) line += ", " + text(op.in2);
      if (op.out.buffer >= 0) line += " -> " + text(op.out);
    }
    return line;
  }
  std::string operator()(const ProductStep& step) const {
    std::string line =
        std::string(kProductNames[static_cast<int>(step.kind)]) + " product " + text(step.in);
    for (const ProductPart& part : step.parts) {
      line += " " + std::to_string(part.source.n_rows) + "x" + std::to_string(part.source.n_cols) +
              " " + std::string(info(part.source.dtype).name);
      if (step.kind != ProductKind::exact)
        line += " as " + std::string(kLayoutNames[static_cast<int>(part.packed.layout)]);
      line += (step.add ? " += " : " -> ") + text(part.out);
    }
    const ProductTuning tuning = tuning_of(program, describe(step));
    for (const ProductParameter& parameter : kProductParameters)
      if (const int value = tuning.*parameter.member; value != kDefaultTuning.*parameter.member)
        line += std::string(", ") + parameter.name + " " + std::to_string(value);
    return line;
  }
  std::string operator()(const AttendStep& step) const {
    return "attend layer " + std::to_string(step.layer) + " " + text(step.q) + " -> " +
           text(step.out);
  }
};

struct StepDescriber {
  std::string operator()(const RowStep& step) const {
    std::string all;
    for (const RowOp& op : step.ops)
      all += (all.empty() ? "" : ", ") + std::string(kRowNames[static_cast<int>(op.kind)]);
    return all;
  }
  std::string operator()(const ProductStep& step) const {
    int64_t n_out = 0;
    for (const ProductPart& part : step.parts) n_out += part.source.n_rows;
    return "product " + std::to_string(n_out) + " x " + std::to_string(step.n_in) + " " +
           std::string(info(step.parts[0].source.dtype).name);
  }
  std::string operator()(const AttendStep&) const { return "attention"; }
};

}  // namespace

std::string describe(const Step& step) { return std::visit(StepDescriber{}, step); }

ProductTuning tuning_of(const Program& program, const std::string& product) {
  ProductTuning tuning;
  if (!program.tuning) return tuning;
  const auto at = program.tuning->products.find(product);
  if (at == program.tuning->products.end()) return tuning;
  const size_t n = std::min(at->second.size(), std::size(kProductParameters));
  for (size_t i = 0; i < n; ++i) tuning.*kProductParameters[i].member = at->second[i];
  return tuning;
}

std::string print(const Program& program) {
  const auto& mapped = program.mapped_weights;
  const int64_t weight_bytes = mapped ? std::ssize(mapped->bytes()) : program.weights.bytes();
  std::string all = std::to_string(weight_bytes) + " bytes of packed weights, " +
                    (mapped ? "mapped from " + mapped->path() + ", " : "") +
                    std::to_string(program.arena_bytes) + " of buffers for " +
                    std::to_string(program.max_rows) + " rows\n";
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer& b = program.buffers[i];
    all += "b" + std::to_string(i) + ": " + (b.rows == Rows::tokens ? "tokens x " : "used x ") +
           std::to_string(b.width) + kElementNames[static_cast<int>(b.element)] + ", " +
           std::to_string(b.row_bytes) + " bytes a row at " + std::to_string(b.offset) +
           (b.local ? " of each thread\n" : "\n");
  }
  for (size_t i = 0; i < program.steps.size(); ++i)
    all += std::to_string(i) + ": " + std::visit(StepPrinter{program}, program.steps[i]) + "\n";
  return all;
}

}  // namespace quern::cpu
