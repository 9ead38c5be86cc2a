// Products of a pass: panels of weights in chunks, each chunk with all rows of the batch, so that
// mixed batches read the weights from memory once.
#include <algorithm>

#include "backend/cpu/pass.h"

namespace quern::cpu {
namespace {

// Panels a thread takes at a time: enough to be read as a stream, few enough to stay in a cache for
// the next rows and to balance the load at the end. Fewer with many rows, since each panel takes
// longer.
constexpr int64_t kManyRows = 16;

bool uses_tiles(const ProductStep& step) {
  const auto rounded = [](const ProductPart& part) {
    return is_for_tiles(part.forms[Role::prompt]);
  };
  return std::ranges::any_of(step.parts, rounded);
}

int64_t panels_at_once(const Pass& pass, const ProductStep& step, int n_rows, int n_threads) {
  const ProductPart& part = step.parts[0];
  const PackedMatrix& matrix = pass.pointers.packed[part.matrix];
  // Where rows go through tiles, each take reads all of them anew: fewer takes.
  if (uses_tiles(step) && n_rows > kManyRows)
    return std::clamp<int64_t>(n_panels(step) / n_threads / 4, 1,
                               std::max(1, matrix.tuning->tile_panels));
  const int64_t bytes = step.kind == ProductKind::exact
                            ? kPanelRows * step.n_in * static_cast<int64_t>(sizeof(float))
                            : std::ssize(matrix.data) / part.n_panels;
  const int64_t rows = std::max<int64_t>(n_rows, kManyRows);
  const int64_t most =
      (int64_t{matrix.tuning->chunk_kib} << 10) * kManyRows / rows / std::max<int64_t>(1, bytes);
  return std::clamp<int64_t>(n_panels(step) / n_threads, 1, std::max<int64_t>(1, most));
}

// Calls each(first row, rows, form) for the longest runs of rows that `part` reads in one form.
template <class F>
void each_run(const Pass& pass, const ProductStep& step, const ProductPart& part, F each) {
  if (step.rows == Rows::used) return each(0, pass.n_rows(step.rows), part.forms[Role::used]);
  int first = 0, n_rows = 0;
  auto form = RowForm::none;
  for (const RowRun& run : pass.runs) {
    if (n_rows > 0 && part.forms[run.role] != form) {
      each(first, n_rows, form);
      first += n_rows, n_rows = 0;
    }
    form = part.forms[run.role];
    n_rows += run.n_rows;
  }
  each(first, n_rows, form);
}

void multiply_quantized(const Pass& pass, const Worker& worker, const ProductStep& step,
                        const ProductPart& part, Range panels, Epilogue epilogue) {
  const PackedMatrix& matrix = pass.pointers.packed[part.matrix];
  const int64_t stride = pass.program.buffers[step.in.buffer].row_bytes;
  float* const out = epilogue.out;
  each_run(pass, step, part, [&](int first, int n_rows, RowForm form) {
    epilogue.out = out + first * epilogue.out_stride;
    if (is_for_tiles(form)) {
      const Bf16Kernels& tiles = *pass.kernels.bf16_linear;
      const auto multiply = form == RowForm::rounded ? tiles.multiply : tiles.multiply_int8;
      return multiply(matrix, row_bytes(pass, worker, step.in, first), stride, n_rows, panels.first,
                      panels.last, epilogue, worker.scratch);
    }
    pass.kernels.linear.multiply_quantized(matrix, row_bytes(pass, worker, step.in, first), stride,
                                           n_rows, records_per_row(form), panels.first, panels.last,
                                           epilogue);
  });
}

template <class T>
EpilogueOf<T> epilogue_of(const Pass& pass, const Worker& worker, const ProductStep& step,
                          const ProductPart& part) {
  return {.out = row_numbers<T>(pass, worker, part.out, 0),
          .out_stride = stride_numbers<T>(pass, part.out),
          .bias = part.bias < 0 ? nullptr : pass.pointers.vectors[part.bias],
          .add = step.add};
}

void multiply(const Pass& pass, const Worker& worker, const ProductStep& step,
              const ProductPart& part, Range panels) {
  const int n_rows = pass.n_rows(step.rows);
  switch (step.kind) {
    case ProductKind::quantized:
      return multiply_quantized(pass, worker, step, part, panels,
                                epilogue_of<float>(pass, worker, step, part));
    case ProductKind::floating:
      return pass.kernels.linear.multiply_float(
          pass.pointers.packed[part.matrix], row_numbers<float>(pass, worker, step.in, 0),
          stride_numbers<float>(pass, step.in), n_rows, panels.first, panels.last,
          epilogue_of<float>(pass, worker, step, part));
    case ProductKind::exact:
      return pass.kernels.exact.multiply(
          pass.pointers.sources[part.matrix], row_numbers<double>(pass, worker, step.in, 0),
          stride_numbers<double>(pass, step.in), n_rows, panels.first, panels.last,
          epilogue_of<double>(pass, worker, step, part), worker.scratch);
  }
}

}  // namespace

int64_t n_panels(const ProductStep& step) {
  int64_t n = 0;
  for (const ProductPart& part : step.parts) n += part.n_panels;
  return n;
}

int64_t scratch_bytes(const ProductStep& step, int max_rows, const Kernels& kernels) {
  if (step.kind == ProductKind::exact) return exact_scratch_bytes(step.n_in);
  return uses_tiles(step) ? kernels.bf16_linear->scratch_bytes(step.n_in, max_rows) : 0;
}

// The panels of all parts are numbered consecutively.
void run(const Pass& pass, const Worker& worker, const ProductStep& step, Items& items) {
  const int64_t most = panels_at_once(pass, step, pass.n_rows(step.rows), worker.n_threads);
  for (;;) {
    Range taken = items.take(most);
    if (taken.empty()) return;
    for (const ProductPart& part : step.parts) {
      const Range panels = {std::max<int64_t>(taken.first, 0), std::min(taken.last, part.n_panels)};
      if (!panels.empty()) multiply(pass, worker, step, part, panels);
      taken = {taken.first - part.n_panels, taken.last - part.n_panels};
    }
  }
}

}  // namespace quern::cpu
