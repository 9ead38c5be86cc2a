// What each kind of step does on one thread.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "backend/cpu/pass.h"
#include "base/check.h"
#include "base/enum_table.h"

namespace quern::cpu {
namespace {

// Everything a row op may need to know about its row. T: of its numbers, double where numerics are
// exact.
template <class T>
struct RowContext {
  const Pass& pass;
  const Worker& worker;
  Rows rows;
  int row;
  T* numbers(const View& view) const { return row_numbers<T>(pass, worker, view, row); }
  const float* vector(int id) const { return pass.pointers.vectors[id]; }
  const RowKernelsOf<T>& kernels() const {
    if constexpr (std::is_same_v<T, double>)
      return pass.kernels.exact.rows;
    else
      return pass.kernels.rows;
  }
};

// A row that the caller gave in place of the token's; empty: none.
std::span<const float> given_row(const Pass& pass, int row, int64_t width) {
  const int32_t token = pass.batch.tokens[row];
  if (token >= 0) return {};
  return pass.batch.embeddings.subspan((-1 - int64_t{token}) * width, width);
}

void run_embed(const RowContext<float>& c, const RowOp& op) {
  if (const auto given = given_row(c.pass, c.row, op.width); !given.empty()) {
    std::ranges::copy(given, c.numbers(op.out));
    return;
  }
  const QuantMatrix& table = c.pass.pointers.sources[op.table];
  find_format(table.dtype)->decode(table, c.pass.batch.tokens[c.row], 1, c.numbers(op.out));
}

// Weights are f32: decoded to the row's upper half, from where each goes to its place.
void run_embed(const RowContext<double>& c, const RowOp& op) {
  double* row = c.numbers(op.out);
  if (const auto given = given_row(c.pass, c.row, op.width); !given.empty()) {
    std::ranges::copy(given, row);
    return;
  }
  float* upper = reinterpret_cast<float*>(row) + op.width;
  const QuantMatrix& table = c.pass.pointers.sources[op.table];
  find_format(table.dtype)->decode(table, c.pass.batch.tokens[c.row], 1, upper);
  for (int64_t i = 0; i < op.width; ++i) {
    float weight;
    std::memcpy(&weight, reinterpret_cast<const std::byte*>(upper + i), sizeof weight);
    const double number = weight;
    std::memcpy(reinterpret_cast<std::byte*>(row + i), &number, sizeof number);
  }
}

template <class T>
void run_pick(const RowContext<T>& c, const RowOp& op) {
  const T* from = row_numbers<T>(c.pass, c.worker, op.in, c.pass.batch.used[c.row]);
  std::memcpy(c.numbers(op.out), from, op.width * sizeof(T));
}

template <class T>
void run_norm(const RowContext<T>& c, const RowOp& op) {
  c.kernels().rms_norm(c.numbers(op.in), c.vector(op.weight), op.epsilon, op.width,
                       c.numbers(op.out));
}

template <class T>
void run_swiglu(const RowContext<T>& c, const RowOp& op) {
  c.kernels().swiglu(c.numbers(op.in), c.numbers(op.in2), op.width, c.numbers(op.out));
}

template <class T>
void run_relu2glu(const RowContext<T>& c, const RowOp& op) {
  c.kernels().relu2glu(c.numbers(op.in), c.numbers(op.in2), op.width, c.numbers(op.out));
}

template <class T>
void run_scale(const RowContext<T>& c, const RowOp& op) {
  c.kernels().scale(c.numbers(op.in), *c.vector(op.weight), op.width, c.numbers(op.out));
}

template <class T>
void run_round(const RowContext<T>& c, const RowOp& op) {
  c.kernels().round_int8(c.numbers(op.in), op.width, c.numbers(op.out));
}

template <class T>
void run_copy(const RowContext<T>& c, const RowOp& op) {
  std::memcpy(c.numbers(op.out), c.numbers(op.in), op.width * sizeof(T));
}

template <class T>
void run_add(const RowContext<T>& c, const RowOp& op) {
  if (!(op.in == op.out)) run_copy(c, op);
  c.kernels().add(c.numbers(op.in2), op.width, c.numbers(op.out));
}

std::vector<float>& angles(const RowContext<float>& c, int t) { return c.pass.rope_angles[t]; }
std::vector<double>& angles(const RowContext<double>& c, int t) { return c.pass.exact_angles[t]; }

template <class T>
void run_rope(const RowContext<T>& c, const RowOp& op) {
  if (!(op.in == op.out)) run_copy(c, op);
  const int rotated = c.pass.program.rope_tables[op.rope_table].rotated;
  const T* cos = angles(c, op.rope_table).data() + static_cast<int64_t>(c.row) * rotated;
  c.kernels().rope(c.numbers(op.out), op.n_heads, op.head_dim, rotated, op.interleaved, cos,
                   cos + rotated / 2);
}

template <class T>
void run_append(const RowContext<T>& c, const RowOp& op) {
  const RowPlace& place = c.pass.places[c.row];
  const LayerCache& cache = c.pass.caches[op.layer];
  const AttentionShape& shape = c.pass.program.layers[op.layer];
  std::byte* page = cache.base + c.pass.page_of(op.layer, c.row) * cache.stride;
  if constexpr (std::is_same_v<T, double>)
    c.pass.kernels.exact.attention.append(shape, c.numbers(op.in), c.numbers(op.in2), page,
                                          place.slot);
  else
    c.pass.attention().append(shape, c.numbers(op.in), c.numbers(op.in2), page, place.slot);
}

void run_quantize(const RowContext<float>& c, const RowOp& op) {
  // Rows of a step over used rows are numbered by themselves.
  const Role role = c.rows == Rows::used ? Role::used : c.pass.places[c.row].role;
  const RowForm form = op.forms[role];
  std::byte* out = row_bytes(c.pass, c.worker, op.out, c.row);
  if (form == RowForm::rounded)
    return c.pass.kernels.bf16_linear->round_row(c.numbers(op.in), op.width, out);
  if (form == RowForm::int8_for_tiles)
    return c.pass.kernels.bf16_linear->take_int8_row(c.numbers(op.in), op.width, out);
  c.pass.kernels.linear.quantize_row(c.numbers(op.in), op.width, form, out);
}
void run_quantize(const RowContext<double>&, const RowOp&) {
  CHECK(false, "exact products read rows as they are");
}

template <class T>
struct RowRunner {
  RowKind of;
  void (*run)(const RowContext<T>&, const RowOp&);
};
template <class T>
constexpr RowRunner<T> kRowRunners[] = {
    {RowKind::embed, run_embed},          {RowKind::pick_used, run_pick<T>},
    {RowKind::rms_norm, run_norm<T>},     {RowKind::swiglu, run_swiglu<T>},
    {RowKind::relu2glu, run_relu2glu<T>}, {RowKind::add, run_add<T>},
    {RowKind::scale, run_scale<T>},       {RowKind::round_int8, run_round<T>},
    {RowKind::rope, run_rope<T>},         {RowKind::append, run_append<T>},
    {RowKind::quantize, run_quantize},    {RowKind::copy, run_copy<T>},
};
static_assert(has_row_for_each(kRowRunners<float>) && has_row_for_each(kRowRunners<double>));

constexpr int64_t kRowsAtOnce = 8;

template <class T>
void run_rows(const Pass& pass, const Worker& worker, const RowStep& step, Items& items) {
  for (;;) {
    const Range rows = items.take(kRowsAtOnce);
    if (rows.empty()) return;
    for (int64_t row = rows.first; row < rows.last; ++row)
      for (const RowOp& op : step.ops)
        row_of(kRowRunners<T>, op.kind).run({pass, worker, step.rows, static_cast<int>(row)}, op);
  }
}

void run(const Pass& pass, const Worker& worker, const RowStep& step, Items& items) {
  (pass.program.exact() ? run_rows<double> : run_rows<float>)(pass, worker, step, items);
}

// What the threads share in a step.
struct CountItems {
  const Pass& pass;
  int64_t operator()(const RowStep& step) const { return pass.n_rows(step.rows); }
  int64_t operator()(const ProductStep& step) const {
    return pass.n_rows(step.rows) > 0 ? n_panels(step) : 0;
  }
  int64_t operator()(const AttendStep& step) const { return count_items(pass, step); }
};

// Angles are part of what a model is: those that transformers trains and runs it with, which are
// f32 whatever the type of the rest; frequency and product are rounded to f32. On the exact path
// what follows, cosine and sine, is f64.
template <class T>
void compute_angles(const Pass& pass, Range rows, std::span<std::vector<T>> angles) {
  for (size_t t = 0; t < angles.size(); ++t) {
    const RopeTable& table = pass.program.rope_tables[t];
    const int half = table.rotated / 2;
    for (int i = 0; i < half; ++i) {
      const float exponent = static_cast<float>(2 * i) / static_cast<float>(table.rotated);
      // By way of f64, so that no C library's powf decides about the last bit.
      float frequency = 1.0f / static_cast<float>(std::pow(double{table.theta}, double{exponent}));
      if (!table.factors.empty()) frequency /= table.factors[i];
      frequency /= table.scale;
      for (int64_t row = rows.first; row < rows.last; ++row) {
        const float angle = static_cast<float>(pass.places[row].position) * frequency;
        T* out = angles[t].data() + row * table.rotated;
        out[i] = std::cos(static_cast<T>(angle));
        out[half + i] = std::sin(static_cast<T>(angle));
      }
    }
  }
}

void compute_angles(const Pass& pass, Items& items) {
  constexpr int64_t kAtOnce = 128;  // rows: the powers are taken anew for each piece
  for (Range rows = items.take(kAtOnce); !rows.empty(); rows = items.take(kAtOnce))
    if (pass.program.exact())
      compute_angles(pass, rows, pass.exact_angles);
    else
      compute_angles(pass, rows, pass.rope_angles);
}

}  // namespace

std::byte* row_bytes(const Pass& pass, const Worker& worker, const View& view, int row) {
  const Buffer& buffer = pass.program.buffers[view.buffer];
  std::byte* base = buffer.local ? worker.scratch + buffer.offset
                                 : pass.arena + buffer.offset + row * buffer.row_bytes;
  return base + view.column * buffer.column_bytes();
}

int64_t scratch_bytes(const Program& program, const Kernels& kernels) {
  int64_t bytes = program.local_bytes;
  bytes = std::max(bytes, attend_scratch_bytes(program, kernels));
  for (const Step& step : program.steps)
    if (const auto* product = std::get_if<ProductStep>(&step))
      bytes = std::max(bytes, scratch_bytes(*product, program.max_rows, kernels));
  return (bytes + 63) / 64 * 64;
}

int64_t count_items(const Pass& pass, int turn) {
  if (turn == 0) return pass.program.rope_tables.empty() ? 0 : pass.n_rows(Rows::tokens);
  return std::visit(CountItems{pass}, pass.program.steps[turn - 1]);
}

int64_t run_turn(const Pass& pass, const Worker& worker, int turn) {
  const int64_t n_items = count_items(pass, turn);
  CHECK(n_items <= WorkQueues::kMaxItems, "a step has more items than its queues can count");
  Items items(pass, worker, turn, n_items);
  if (turn == 0) {
    compute_angles(pass, items);
  } else {
    std::visit([&](const auto& step) { run(pass, worker, step, items); },
               pass.program.steps[turn - 1]);
  }
  return items.n_taken();
}

}  // namespace quern::cpu
