#include "backend/cpu/program.h"

#include <algorithm>
#include <iterator>

#include "backend/cpu/uses.h"
#include "base/enum_table.h"

namespace quern::cpu {
namespace {

constexpr EnumName<ProductKind> kProductNames[] = {{ProductKind::quantized, "quantized"},
                                                   {ProductKind::floating, "floating"},
                                                   {ProductKind::exact, "exact"}};
constexpr EnumName<Layout> kLayoutNames[] = {
    {Layout::int2, "int2"},     {Layout::int3, "int3"},       {Layout::int4, "int4"},
    {Layout::int5, "int5"},     {Layout::int6, "int6"},       {Layout::int8, "int8"},
    {Layout::table4, "table4"}, {Layout::ternary, "ternary"}, {Layout::f32, "f32"},
    {Layout::f16, "f16"},       {Layout::bf16, "bf16"}};
constexpr EnumName<Element> kElementNames[] = {
    {Element::f32, ""}, {Element::int8, " int8"}, {Element::f64, " f64"}};
static_assert(has_row_for_each(kProductNames) && has_row_for_each(kLayoutNames) &&
              has_row_for_each(kElementNames));

std::string text(const View& view) {
  if (view.buffer < 0) return "-";
  return "b" + std::to_string(view.buffer) + (view.column ? "+" + std::to_string(view.column) : "");
}

struct StepPrinter {
  const Program& program;
  const TuningTable* table;

  std::string operator()(const RowStep& step) const {
    std::string line = "rows";
    for (const RowOp& op : step.ops) {
      line += std::string(line == "rows" ? " " : "; ") + row_of(kRowKinds, op.kind).name + " " +
              text(op.in);
      if (op.in2.buffer >= 0) line += ", " + text(op.in2);
      if (op.out.buffer >= 0) line += " -> " + text(op.out);
    }
    return line;
  }
  std::string operator()(const ProductStep& step) const {
    std::string line =
        std::string(row_of(kProductNames, step.kind).text) + " product " + text(step.in);
    for (const ProductPart& part : step.parts) {
      const ProgramMatrix& matrix = program.matrices[part.matrix];
      line += " " + std::to_string(matrix.n_rows) + "x" + std::to_string(matrix.n_cols) + " " +
              std::string(info(matrix.dtype).name);
      if (step.kind != ProductKind::exact)
        line +=
            " as " + std::string(row_of(kLayoutNames, layout_of(*find_format(matrix.dtype))).text);
      line += (step.add ? " += " : " -> ") + text(part.out);
    }
    const ProductTuning tuning = tuning_of(table, describe(program, step));
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
  const Program& program;

  std::string operator()(const RowStep& step) const {
    std::string all;
    for (const RowOp& op : step.ops)
      all += (all.empty() ? "" : ", ") + std::string(row_of(kRowKinds, op.kind).name);
    return all;
  }
  std::string operator()(const ProductStep& step) const {
    int64_t n_out = 0;
    for (const ProductPart& part : step.parts) n_out += program.matrices[part.matrix].n_rows;
    return "product " + std::to_string(n_out) + " x " + std::to_string(step.n_in) + " " +
           std::string(info(program.matrices[step.parts[0].matrix].dtype).name);
  }
  std::string operator()(const AttendStep&) const { return "attention"; }
};

}  // namespace

std::string describe(const Program& program, const Step& step) {
  return std::visit(StepDescriber{program}, step);
}

ProductTuning tuning_of(const TuningTable* table, const std::string& product) {
  ProductTuning tuning;
  if (!table) return tuning;
  const auto at = table->products.find(product);
  if (at == table->products.end()) return tuning;
  const size_t n = std::min(at->second.size(), std::size(kProductParameters));
  for (size_t i = 0; i < n; ++i) tuning.*kProductParameters[i].member = at->second[i];
  return tuning;
}

std::string print(const Program& program, const std::string& packed, const TuningTable* table) {
  std::string all = packed + ", " + std::to_string(program.arena_bytes) + " of buffers for " +
                    std::to_string(program.max_rows) + " rows\n";
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer& b = program.buffers[i];
    all += "b" + std::to_string(i) + ": " + (b.rows == Rows::tokens ? "tokens x " : "used x ") +
           std::to_string(b.width) + row_of(kElementNames, b.element).text + ", " +
           std::to_string(b.row_bytes) + " bytes a row at " + std::to_string(b.offset) +
           (b.local ? " of each thread\n" : "\n");
  }
  for (size_t i = 0; i < program.steps.size(); ++i)
    all +=
        std::to_string(i) + ": " + std::visit(StepPrinter{program, table}, program.steps[i]) + "\n";
  return all;
}

}  // namespace quern::cpu
