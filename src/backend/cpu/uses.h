// What each kind of step reads and writes: all that the planner of memory and the checker of
// programs know of a step. A kind without its declaration does not build: row ops are rows of a
// table with one for every RowKind, whose members have no defaults, and `uses` has no overload for
// a kind of step that it does not know.
#pragma once
#include <algorithm>
#include <type_traits>
#include <variant>
#include <vector>

#include "backend/cpu/program.h"
#include "base/enum_table.h"

namespace quern::cpu {

// What a row op does with one of its views.
class RowUse {
 public:
  static constexpr RowUse none() { return {false, false, false, true}; }
  static constexpr RowUse read() { return {true, false, false, true}; }
  static constexpr RowUse read_other_row() { return {true, false, false, false}; }
  static constexpr RowUse write() { return {false, true, false, true}; }
  static constexpr RowUse write_record() { return {false, true, true, true}; }

  bool reads, writes;
  bool record;   // int8 codes with their scales, a whole row of them; else numbers
  bool own_row;  // of the row at hand alone

 private:
  constexpr RowUse(bool r, bool w, bool int8, bool own)
      : reads(r), writes(w), record(int8), own_row(own) {}
};

// Whether `out` may stand where `in` stood, if nobody reads that any more.
enum class InPlace : uint8_t { no, yes };

struct RowKindInfo {
  RowKind of;
  const char* name;
  RowUse in, in2, out;
  InPlace in_place;
  constexpr RowKindInfo(RowKind kind, const char* text, RowUse first, RowUse second, RowUse result,
                        InPlace over)
      : of(kind), name(text), in(first), in2(second), out(result), in_place(over) {}
};

inline constexpr RowKindInfo kRowKinds[] = {
    {RowKind::embed, "embed", RowUse::none(), RowUse::none(), RowUse::write(), InPlace::no},
    {RowKind::pick_used, "pick_used", RowUse::read_other_row(), RowUse::none(), RowUse::write(),
     InPlace::no},
    {RowKind::rms_norm, "rms_norm", RowUse::read(), RowUse::none(), RowUse::write(), InPlace::no},
    {RowKind::swiglu, "swiglu", RowUse::read(), RowUse::read(), RowUse::write(), InPlace::no},
    {RowKind::relu2glu, "relu2glu", RowUse::read(), RowUse::read(), RowUse::write(), InPlace::no},
    {RowKind::add, "add", RowUse::read(), RowUse::read(), RowUse::write(), InPlace::yes},
    {RowKind::scale, "scale", RowUse::read(), RowUse::none(), RowUse::write(), InPlace::yes},
    {RowKind::round_int8, "round_int8", RowUse::read(), RowUse::none(), RowUse::write(),
     InPlace::yes},
    {RowKind::rope, "rope", RowUse::read(), RowUse::none(), RowUse::write(), InPlace::yes},
    {RowKind::append, "append", RowUse::read(), RowUse::read(), RowUse::none(), InPlace::no},
    {RowKind::quantize, "quantize", RowUse::read(), RowUse::none(), RowUse::write_record(),
     InPlace::no},
    {RowKind::copy, "copy", RowUse::read(), RowUse::none(), RowUse::write(), InPlace::yes},
};
static_assert(has_row_for_each(kRowKinds));

// One view that a step touches. V: View, or const View.
template <class V>
struct UseOf {
  V* view;
  int64_t width;  // columns from the view's on
  bool reads, writes, record;
  bool own_row;       // row i of the step touches row i alone: one row of a thread is enough
  int terms = 1;      // of a record: int8 terms that stand in it
  V* over = nullptr;  // of what is written: the view that it may take the place of
};
template <class Op>
using UsesOf = std::vector<UseOf<std::conditional_t<std::is_const_v<Op>, const View, View>>>;

inline int most_terms(const RowForms& forms) {
  int most = 1;
  for (const RowForm form : forms.of) most = std::max(most, records_per_row(form));
  return most;
}

template <class Op>
concept IsRowOp = std::is_same_v<std::remove_const_t<Op>, RowOp>;
template <class Op>
concept IsProduct = std::is_same_v<std::remove_const_t<Op>, ProductStep>;
template <class Op>
concept IsAttend = std::is_same_v<std::remove_const_t<Op>, AttendStep>;

template <IsRowOp Op>
UsesOf<Op> uses(Op& op) {
  const RowKindInfo& kind = row_of(kRowKinds, op.kind);
  UsesOf<Op> list;
  const auto add = [&](auto& view, const RowUse& use, int64_t width) {
    if (use.reads || use.writes)
      list.push_back({&view, width, use.reads, use.writes, use.record, use.own_row});
  };
  add(op.in, kind.in, op.width);
  // Kernels of the other kinds read as much of both.
  const bool differs = op.kind == RowKind::append && op.width2 > 0;
  add(op.in2, kind.in2, differs ? op.width2 : op.width);
  add(op.out, kind.out, op.width);
  for (auto& use : list)
    if (use.record) use.terms = most_terms(op.forms);
  if (kind.in_place == InPlace::yes) list.back().over = &op.in;
  return list;
}

// Panels are written whole, past the last output too.
template <IsProduct Op>
UsesOf<Op> uses(Op& step) {
  const bool record = step.kind == ProductKind::quantized;
  UsesOf<Op> list = {{&step.in, step.n_in, true, false, record, false}};
  for (const ProductPart& part : step.parts)
    if (record) list[0].terms = std::max(list[0].terms, most_terms(part.forms));
  for (auto& part : step.parts)
    list.push_back({&part.out, part.n_panels * kPanelRows, step.add, true, false, false});
  return list;
}

template <IsAttend Op>
UsesOf<Op> uses(Op& step) {
  return {{&step.q, step.width, true, false, false, false},
          {&step.out, step.out_width > 0 ? step.out_width : step.width, false, true, false, false}};
}

// Calls each(uses) for every part of a step that works on its own: the ops of a row step one after
// the other, as each row goes through them.
template <class F>
void each_uses(RowStep& step, F each) {
  for (RowOp& op : step.ops) each(uses(op));
}
template <class F>
void each_uses(const RowStep& step, F each) {
  for (const RowOp& op : step.ops) each(uses(op));
}
template <class S, class F>
requires IsProduct<S> || IsAttend<S>
void each_uses(S& step, F each) { each(uses(step)); }

}  // namespace quern::cpu
