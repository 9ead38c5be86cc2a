// A program of a stranger, checked by what its steps say that they read and write (uses.h).
#include <algorithm>
#include <string>

#include "backend/cpu/kernels.h"
#include "backend/cpu/program_bytes.h"
#include "backend/cpu/uses.h"
#include "backend/cpu/work_queue.h"

namespace quern::cpu {
namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kMostRows = int64_t{1} << 20;
constexpr int64_t kMostWidth = int64_t{1} << 30;  // columns of a row
constexpr int64_t kMostBytes = int64_t{1} << 50;  // of all buffers together
constexpr int64_t kMostWeights = int64_t{1} << 40;
constexpr size_t kMostSteps = 1 << 13;

class Checker {
 public:
  explicit Checker(const Program& program) : p_(program) {}

  Result<> run() {
    TRY_OK(check_sizes());
    for (const Buffer& buffer : p_.buffers) TRY_OK(check_buffer(buffer));
    for (const ProgramMatrix& matrix : p_.matrices) TRY_OK(check_matrix(matrix));
    for (const ProgramVector& vector : p_.vectors)
      TRY_OK(need(vector.at >= 0 && is_width(vector.n), "a vector of no size"));
    for (const AttentionShape& layer : p_.layers) TRY_OK(check_layer(layer));
    for (const RopeTable& table : p_.rope_tables) TRY_OK(check_table(table));
    for (size_t i = 0; i < p_.steps.size(); ++i) {
      where_ = "step " + std::to_string(i);
      TRY_OK(std::visit([&](const auto& step) { return check_step(step); }, p_.steps[i]));
    }
    where_ = "results";
    TRY_OK(check_view(p_.logits, p_.n_vocab, number(), false));
    return check_view(p_.hidden, p_.width, number(), false);
  }

 private:
  Result<> need(bool holds, const char* what) const {
    if (holds) return Ok{};
    return Error{Code::corrupt, what, where_, ""};
  }
  static bool is_width(int64_t n) { return n > 0 && n <= kMostWidth; }
  Element number() const { return p_.exact() ? Element::f64 : Element::f32; }
  template <class T>
  static bool has(const std::vector<T>& list, int id) {
    return id >= 0 && static_cast<size_t>(id) < list.size();
  }

  Result<> check_sizes() {
    TRY_OK(need(p_.max_rows >= 1 && p_.max_rows <= kMostRows, "a batch of no size"));
    TRY_OK(need(is_width(p_.n_vocab) && is_width(p_.width), "no vocabulary, or no hidden state"));
    TRY_OK(need(p_.arena_bytes >= 0 && p_.arena_bytes <= kMostBytes && p_.local_bytes >= 0 &&
                    p_.local_bytes <= kMostBytes,
                "buffers of no size"));
    TRY_OK(need(p_.steps.size() <= kMostSteps, "too many steps"));
    TRY_OK(need(p_.exact() || p_.kv != KvKind::automatic, "no kind of cache"));
    return need(p_.n_hidden_steps >= 1 && static_cast<size_t>(p_.n_hidden_steps) <= p_.steps.size(),
                "hidden states of no step");
  }

  Result<> check_buffer(const Buffer& b) {
    where_ = "buffers";
    TRY_OK(need(is_width(b.width) && b.row_bytes > 0 && b.row_bytes % kLine == 0 &&
                    b.row_bytes <= 16 * kMostWidth && b.offset >= 0 && b.offset % kLine == 0,
                "a buffer of no size"));
    TRY_OK(need(b.element == Element::int8 || b.element == number(), "a buffer of other numerics"));
    const int64_t bytes = b.local ? b.row_bytes : b.row_bytes * p_.max_rows;
    const int64_t all = b.local ? p_.local_bytes : p_.arena_bytes;
    return need(bytes <= all && b.offset <= all - bytes, "a buffer outside of the memory");
  }

  Result<> check_matrix(const ProgramMatrix& m) {
    where_ = "matrix " + m.name;
    TRY_OK(need(is_width(m.n_rows) && is_width(m.n_cols) && m.n_rows <= kMostWeights / m.n_cols,
                "a matrix of no size"));
    TRY_OK(need(find_format(m.dtype) && matrix_bytes(m.dtype, m.n_rows, m.n_cols) >= 0,
                "a type that has no such matrix"));
    return need(m.packed_at == -1 || (m.packed_at >= 0 && m.packed_at % kLine == 0),
                "packed weights at no place");
  }

  Result<> check_layer(const AttentionShape& s) {
    where_ = "layers";
    const bool rotated = !p_.exact() && (p_.kv == KvKind::int8 || p_.kv == KvKind::int4);
    return need(s.n_kv_heads > 0 && s.n_heads > 0 && s.n_heads % s.n_kv_heads == 0 &&
                    s.head_dim > 0 && int64_t{s.n_heads} * s.head_dim <= kMostWidth / 64 &&
                    s.value_dim >= 0 && int64_t{s.n_heads} * s.value_dim <= kMostWidth / 64 &&
                    (!rotated || s.head_dim <= kMaxDims) && s.window >= 0,
                "attention of no shape");
  }

  Result<> check_table(const RopeTable& t) {
    where_ = "rope tables";
    constexpr int kMostRotated = 1 << 12;
    return need(t.rotated > 0 && t.rotated % 2 == 0 && t.rotated <= kMostRotated &&
                    (t.factors.empty() || std::ssize(t.factors) == t.rotated / 2),
                "angles of no shape");
  }

  // own_row: whether the buffer may be one row of a thread.
  Result<> check_view(const View& view, int64_t width, Element element, bool own_row) const {
    TRY_OK(need(has(p_.buffers, view.buffer), "no such buffer"));
    const Buffer& buffer = p_.buffers[view.buffer];
    TRY_OK(need(buffer.element == element, "a buffer of another element"));
    TRY_OK(need(own_row || !buffer.local, "rows that only their thread has"));
    return need(view.column >= 0 && is_width(width) &&
                    view.column <= buffer.row_bytes / buffer.column_bytes() - width,
                "columns outside of a buffer");
  }

  Result<> check_record(const View& view, int64_t width, int terms, bool own_row) const {
    TRY_OK(need(is_width(width), "a record of no size"));
    TRY_OK(check_view(view, 1, Element::int8, own_row));
    return need(
        view.column == 0 && p_.buffers[view.buffer].row_bytes >= terms * activation_bytes(width),
        "a record outside of a buffer");
  }

  // Whether two views have memory in common: of one buffer by their columns, of two by their rows.
  bool overlap(const View& a, int64_t a_width, const View& b, int64_t b_width) const {
    if (a.buffer == b.buffer) return a.column < b.column + b_width && b.column < a.column + a_width;
    const Buffer &first = p_.buffers[a.buffer], &second = p_.buffers[b.buffer];
    const auto rows = [&](const Buffer& of) { return of.local ? 1 : p_.max_rows; };
    return first.local == second.local &&
           first.offset < second.offset + second.row_bytes * rows(second) &&
           second.offset < first.offset + first.row_bytes * rows(first);
  }

  // What a step writes is what it reads, or apart from it: kernels copy memory that does not
  // overlap.
  template <class Part>
  Result<> check_uses(const Part& part) const {
    const auto all = uses(part);
    for (const auto& use : all)
      TRY_OK(use.record ? check_record(*use.view, use.width, use.terms, use.own_row)
                        : check_view(*use.view, use.width, number(), use.own_row));
    for (const auto& written : all)
      for (const auto& read : all)
        if (&written != &read && written.writes && read.reads && !(*written.view == *read.view))
          TRY_OK(need(!overlap(*written.view, written.width, *read.view, read.width),
                      "a step that reads parts of what it writes"));
    return Ok{};
  }

  Result<> check_vector(int id, int64_t n) const {
    return need(has(p_.vectors, id) && p_.vectors[id].n >= n, "no such vector of weights");
  }

  Result<> check_step(const RowStep& step) const {
    for (const RowOp& op : step.ops) {
      TRY_OK(check_uses(op));
      TRY_OK(row_of(kRowChecks, op.kind).check(*this, step, op));
    }
    return Ok{};
  }

  // What row ops refer to besides views.
  static Result<> nothing(const Checker&, const RowStep&, const RowOp&) { return Ok{}; }
  static Result<> embed(const Checker& c, const RowStep& step, const RowOp& op) {
    TRY_OK(c.need(step.rows == Rows::tokens && has(c.p_.matrices, op.table), "no such table"));
    const ProgramMatrix& table = c.p_.matrices[op.table];
    return c.need(table.packed_at < 0 && table.n_rows >= c.p_.n_vocab && table.n_cols == op.width,
                  "a table of another shape");
  }
  static Result<> pick(const Checker& c, const RowStep& step, const RowOp&) {
    return c.need(step.rows == Rows::used, "rows picked for all rows");
  }
  static Result<> norm(const Checker& c, const RowStep&, const RowOp& op) {
    return c.check_vector(op.weight, op.width);
  }
  static Result<> scale(const Checker& c, const RowStep&, const RowOp& op) {
    return c.check_vector(op.weight, 1);
  }
  static Result<> rope(const Checker& c, const RowStep& step, const RowOp& op) {
    return c.need(step.rows == Rows::tokens && has(c.p_.rope_tables, op.rope_table) &&
                      op.head_dim > 0 && op.n_heads > 0 &&
                      int64_t{op.n_heads} * op.head_dim == op.width &&
                      c.p_.rope_tables[op.rope_table].rotated <= op.head_dim,
                  "heads of another shape");
  }
  static Result<> append(const Checker& c, const RowStep& step, const RowOp& op) {
    TRY_OK(c.need(step.rows == Rows::tokens && has(c.p_.layers, op.layer), "no such layer"));
    const AttentionShape& layer = c.p_.layers[op.layer];
    const int64_t values = op.width2 > 0 ? op.width2 : op.width;
    return c.need(int64_t{layer.n_kv_heads} * layer.head_dim == op.width &&
                      int64_t{layer.n_kv_heads} * value_dim_of(layer) == values,
                  "keys and values of another shape");
  }
  static Result<> quantize(const Checker& c, const RowStep&, const RowOp& op) {
    return c.need(!c.p_.exact() && has_forms(op.forms), "rows quantized to no form");
  }
  static bool has_forms(const RowForms& forms) {
    return std::ranges::none_of(forms.of, [](RowForm form) { return form == RowForm::none; });
  }

  struct RowCheck {
    RowKind of;
    Result<> (*check)(const Checker&, const RowStep&, const RowOp&);
  };
  static constexpr RowCheck kRowChecks[] = {
      {RowKind::embed, embed},    {RowKind::pick_used, pick},     {RowKind::rms_norm, norm},
      {RowKind::swiglu, nothing}, {RowKind::relu2glu, nothing},   {RowKind::add, nothing},
      {RowKind::scale, scale},    {RowKind::round_int8, nothing}, {RowKind::rope, rope},
      {RowKind::append, append},  {RowKind::quantize, quantize},  {RowKind::copy, nothing},
  };
  static_assert(has_row_for_each(kRowChecks));

  Result<> check_step(const ProductStep& step) const {
    TRY_OK(need((step.kind == ProductKind::exact) == p_.exact() && !step.parts.empty(),
                "a product of other numerics"));
    int64_t n_panels = 0;
    for (const ProductPart& part : step.parts) {
      TRY_OK(need(has(p_.matrices, part.matrix), "no such matrix"));
      const ProgramMatrix& m = p_.matrices[part.matrix];
      const bool integers = find_format(m.dtype)->integer.group > 0;
      TRY_OK(need(m.n_cols == step.n_in && part.n_panels == (m.n_rows - 1) / kPanelRows + 1,
                  "a matrix of another shape"));
      TRY_OK(need((m.packed_at >= 0) == (step.kind != ProductKind::exact) &&
                      (step.kind == ProductKind::exact ||
                       integers == (step.kind == ProductKind::quantized)),
                  "a matrix of another kind"));
      TRY_OK(need(step.kind != ProductKind::quantized || has_forms(part.forms),
                  "rows read in no form"));
      if (part.bias != -1) TRY_OK(check_vector(part.bias, part.n_panels * kPanelRows));
      n_panels += part.n_panels;
    }
    TRY_OK(need(n_panels <= WorkQueues::kMaxItems, "too many rows of weights"));
    return check_uses(step);
  }

  Result<> check_step(const AttendStep& step) const {
    TRY_OK(need(has(p_.layers, step.layer), "no such layer"));
    const AttentionShape& layer = p_.layers[step.layer];
    const int64_t out = step.out_width > 0 ? step.out_width : step.width;
    TRY_OK(need(int64_t{layer.n_heads} * layer.head_dim == step.width &&
                    int64_t{layer.n_heads} * value_dim_of(layer) == out,
                "queries of another shape"));
    return check_uses(step);
  }

  const Program& p_;
  std::string where_ = "program";
};

}  // namespace

Result<> check(const Program& program) { return Checker(program).run(); }

}  // namespace quern::cpu
