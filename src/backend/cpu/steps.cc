// What each kind of step does on one thread.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/cpu/pass.h"
#include "base/check.h"

namespace quern::cpu {
namespace {

// Everything a row op may need to know about its row.
struct RowContext {
  const Pass& pass;
  const Worker& worker;
  Rows rows;
  int row;
  float* floats(const View& view) const { return row_floats(pass, worker, view, row); }
};

void run_embed(const RowContext& c, const RowOp& op) {
  find_format(op.table.dtype)->decode(op.table, c.pass.batch.tokens[c.row], 1, c.floats(op.out));
}

void run_pick(const RowContext& c, const RowOp& op) {
  std::memcpy(c.floats(op.out), row_floats(c.pass, c.worker, op.in, c.pass.batch.used[c.row]),
              op.width * sizeof(float));
}

void run_norm(const RowContext& c, const RowOp& op) {
  c.pass.kernels.rows.rms_norm(c.floats(op.in), op.weight, op.epsilon, op.width, c.floats(op.out));
}

void run_swiglu(const RowContext& c, const RowOp& op) {
  c.pass.kernels.rows.swiglu(c.floats(op.in), c.floats(op.in2), op.width, c.floats(op.out));
}

void run_relu2glu(const RowContext& c, const RowOp& op) {
  c.pass.kernels.rows.relu2glu(c.floats(op.in), c.floats(op.in2), op.width, c.floats(op.out));
}

void run_scale(const RowContext& c, const RowOp& op) {
  c.pass.kernels.rows.scale(c.floats(op.in), *op.weight, op.width, c.floats(op.out));
}

void run_round(const RowContext& c, const RowOp& op) {
  c.pass.kernels.rows.round_int8(c.floats(op.in), op.width, c.floats(op.out));
}

void run_add(const RowContext& c, const RowOp& op) {
  if (!(op.in == op.out)) std::memcpy(c.floats(op.out), c.floats(op.in), op.width * sizeof(float));
  c.pass.kernels.rows.add(c.floats(op.in2), op.width, c.floats(op.out));
}

void run_rope(const RowContext& c, const RowOp& op) {
  if (!(op.in == op.out)) std::memcpy(c.floats(op.out), c.floats(op.in), op.width * sizeof(float));
  const int rotated = c.pass.program.rope_tables[op.rope_table].rotated;
  const float* cos =
      c.pass.rope_angles[op.rope_table].data() + static_cast<int64_t>(c.row) * rotated;
  c.pass.kernels.rows.rope(c.floats(op.out), op.n_heads, op.head_dim, rotated, op.interleaved, cos,
                           cos + rotated / 2);
}

void run_append(const RowContext& c, const RowOp& op) {
  const RowPlace& place = c.pass.places[c.row];
  const LayerCache& cache = c.pass.caches[op.layer];
  c.pass.attention().append(c.pass.program.layers[op.layer], c.floats(op.in), c.floats(op.in2),
                            cache.base + place.page * cache.stride, place.slot);
}

void run_quantize(const RowContext& c, const RowOp& op) {
  // Rows of a step over used rows are numbered by themselves.
  const Role role = c.rows == Rows::used ? Role::used : c.pass.places[c.row].role;
  const RowForm form = op.forms[role];
  std::byte* out = row_bytes(c.pass, c.worker, op.out, c.row);
  if (form == RowForm::rounded)
    return c.pass.kernels.bf16_linear->round_row(c.floats(op.in), op.width, out);
  if (form == RowForm::int8_for_tiles)
    return c.pass.kernels.bf16_linear->take_int8_row(c.floats(op.in), op.width, out);
  c.pass.kernels.linear.quantize_row(c.floats(op.in), op.width, form, out);
}

void run_copy(const RowContext& c, const RowOp& op) {
  std::memcpy(c.floats(op.out), c.floats(op.in), op.width * sizeof(float));
}

// In the order of RowKind.
constexpr void (*kRowOps[])(const RowContext&, const RowOp&) = {
    run_embed, run_pick,  run_norm, run_swiglu, run_relu2glu, run_add,
    run_scale, run_round, run_rope, run_append, run_quantize, run_copy};

constexpr int64_t kRowsAtOnce = 8;

void run(const Pass& pass, const Worker& worker, const RowStep& step, Items& items) {
  for (;;) {
    const Range rows = items.take(kRowsAtOnce);
    if (rows.empty()) return;
    for (int64_t row = rows.first; row < rows.last; ++row)
      for (const RowOp& op : step.ops)
        kRowOps[static_cast<int>(op.kind)]({pass, worker, step.rows, static_cast<int>(row)}, op);
  }
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

// Angles as the reference computes them: frequency and product rounded to f32, then cosine and
// sine.
void compute_angles(const Pass& pass, Range rows) {
  for (size_t t = 0; t < pass.rope_angles.size(); ++t) {
    const RopeTable& table = pass.program.rope_tables[t];
    const int half = table.rotated / 2;
    for (int i = 0; i < half; ++i) {
      float frequency = 1.0f / std::pow(table.theta, static_cast<float>(2 * i) /
                                                         static_cast<float>(table.rotated));
      if (!table.factors.empty()) frequency /= table.factors[i];
      frequency /= table.scale;
      for (int64_t row = rows.first; row < rows.last; ++row) {
        const float angle = static_cast<float>(pass.places[row].position) * frequency;
        float* out = pass.rope_angles[t].data() + row * table.rotated;
        out[i] = std::cos(angle);
        out[half + i] = std::sin(angle);
      }
    }
  }
}

void compute_angles(const Pass& pass, Items& items) {
  constexpr int64_t kAtOnce = 128;  // rows: the powers are taken anew for each piece
  for (Range rows = items.take(kAtOnce); !rows.empty(); rows = items.take(kAtOnce))
    compute_angles(pass, rows);
}

}  // namespace

std::byte* row_bytes(const Pass& pass, const Worker& worker, const View& view, int row) {
  const Buffer& buffer = pass.program.buffers[view.buffer];
  std::byte* base = buffer.local ? worker.scratch + buffer.offset
                                 : pass.arena + buffer.offset + row * buffer.row_bytes;
  return base + view.column * static_cast<int64_t>(sizeof(float));
}

float* row_floats(const Pass& pass, const Worker& worker, const View& view, int row) {
  return reinterpret_cast<float*>(row_bytes(pass, worker, view, row));
}

int64_t stride_floats(const Pass& pass, const View& view) {
  return pass.program.buffers[view.buffer].row_bytes / static_cast<int64_t>(sizeof(float));
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
  if (turn == 0) return pass.rope_angles.empty() ? 0 : pass.n_rows(Rows::tokens);
  return std::visit(CountItems{pass}, pass.program.steps[turn - 1]);
}

int64_t run_turn(const Pass& pass, const Worker& worker, int turn) {
  const int64_t n_items = count_items(pass, turn);
  CHECK(n_items <= WorkQueues::kMostItems, "a step has more items than its queues can count");
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
