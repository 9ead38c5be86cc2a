// A compiled model for the CPU: buffers laid out in one arena, and a flat list of steps. It holds
// no memory and no pointers: weights are named by id, so that it can be written to a file and read
// again (program_bytes.h); what the ids stand for is ProgramWeights (program_weights.h). The
// threads of the pool run the list together, one step when the last is done; a step splits its work
// by thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "backend/cpu/attention.h"
#include "backend/cpu/linear.h"
#include "backend/executor.h"
#include "backend/tuning.h"
#include "graph/graph.h"
#include "quant/format.h"
#include "quern/numerics.h"

namespace quern::cpu {

struct FreePages {
  int64_t bytes;
  void operator()(std::byte* p) const;
};

// Memory from the system: aligned to 64 bytes, zero when first read, taken page by page as it is
// written. large_pages: where the system offers them.
class WeightMemory {
 public:
  static Result<WeightMemory> allocate(int64_t bytes, bool large_pages = true);
  std::byte* data() const { return memory_.get(); }
  int64_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<std::byte, FreePages> memory_{nullptr, FreePages{0}};
  int64_t bytes_ = 0;
};

constexpr int64_t bytes_of(Element element) {
  return element == Element::int8 ? 1 : element == Element::f64 ? 8 : 4;
}

// Rows of activations. Local buffers live within one row of one row step: every thread has its own
// single row of them.
struct Buffer {
  Rows rows = Rows::tokens;
  Element element = Element::f32;
  int64_t width = 0;      // elements of a row that carry meaning
  int64_t row_bytes = 0;  // distance of rows, a multiple of 64; columns are padded to kPanelRows
  bool local = false;
  int64_t offset = 0;  // in the arena, for max_rows rows; in a thread's scratch if local
  int64_t column_bytes() const { return bytes_of(element); }
};

// Columns of a buffer from `column` on. Of int8 buffers only whole rows are viewed. Before memory
// is planned, every value is a buffer of its own.
struct View {
  int buffer = -1;
  int64_t column = 0;
  bool operator==(const View&) const = default;
};

// Angles of rotary positions, computed once per pass for all layers.
struct RopeTable {
  int rotated = 0;
  float theta = 0, scale = 1;
  std::vector<float> factors;  // (rotated / 2) frequency divisors; empty: none
  bool operator==(const RopeTable&) const = default;
};

// By role.
struct RowForms {
  RowForm of[kRoles] = {};
  RowForm operator[](Role role) const { return of[static_cast<int>(role)]; }
  bool operator==(const RowForms&) const = default;
};

// Work on one row at a time; consecutive ones run on a row while it is in the first cache.
enum class RowKind : uint8_t {
  embed,
  pick_used,
  rms_norm,
  swiglu,
  relu2glu,
  add,
  scale,
  round_int8,
  rope,
  append,
  quantize,
  copy
};
struct RowOp {
  RowKind kind;
  View in, in2, out;   // in2: the up of a gate, add's second, append's values
  int64_t width = 0;   // of in
  int64_t width2 = 0;  // append: of in2; 0: as in
  int table = -1;      // embed: of Program::matrices
  int weight = -1;     // rms_norm (width), scale (1): of Program::vectors
  float epsilon = 0;
  int rope_table = -1, n_heads = 0, head_dim = 0;  // rope
  bool interleaved = false;
  int layer = -1;  // append
  RowForms forms;  // quantize
};
struct RowStep {
  Rows rows;
  std::vector<RowOp> ops;
};

// How a product is computed: integers on quantized rows, f32 on packed floats, or f64 on weights
// decoded on the way.
enum class ProductKind : uint8_t { quantized, floating, exact };
struct ProductPart {
  int matrix = -1;  // of Program::matrices
  int bias = -1;    // of Program::vectors, (n_out padded to kPanelRows); -1: none
  View out;
  int64_t n_panels = 0;
  RowForms forms;  // quantized: what it reads of a row
};
struct ProductStep {
  ProductKind kind;
  Rows rows;
  View in;
  int64_t n_in = 0;
  bool add = false;  // to what stands in out
  std::vector<ProductPart> parts;
};

struct AttendStep {
  int layer;
  int64_t width;  // of q: all heads
  View q, out;
  int64_t out_width = 0;  // 0: as q
};

using Step = std::variant<RowStep, ProductStep, AttendStep>;

// A matrix of weights, by the name of its tensor.
struct ProgramMatrix {
  std::string name;
  Dtype dtype = Dtype::f32;
  int64_t n_rows = 0, n_cols = 0;
  int64_t packed_at =
      -1;  // where its panels begin in the packed weights; -1: read as the file has it
};
// Norm weights, biases and factors as f32.
struct ProgramVector {
  std::string name;
  int64_t at = 0, n = 0;  // numbers [at, at + n) of all vectors, a multiple of kPanelRows
};

struct Program {
  KvKind kv = KvKind::bf16;  // of the cache, unless numerics are exact
  Numerics numerics = Numerics::fast;
  bool exact() const { return numerics == Numerics::exact; }
  int n_vocab = 0, width = 0, max_rows = 0;
  std::vector<Buffer> buffers;
  int64_t arena_bytes = 0;  // for max_rows rows
  int64_t local_bytes = 0;  // of one thread's local buffers
  View logits;              // (used, n_vocab)
  View hidden;              // (used, width): final hidden states
  int n_hidden_steps = 0;   // they stand there after so many steps; the rest makes the logits
  std::vector<RopeTable> rope_tables;
  std::vector<AttentionShape> layers;
  std::vector<Step> steps;
  std::vector<ProgramMatrix> matrices;
  std::vector<ProgramVector> vectors;
};

// What a step does, for profiles: the same for steps that do the same on other weights.
std::string describe(const Program& program, const Step& step);
// How products of this name are cut. table: null: as usual.
ProductTuning tuning_of(const TuningTable* table, const std::string& product);
// Buffers and steps, one line each; `packed` says where the packed weights are.
std::string print(const Program& program, const std::string& packed, const TuningTable* table);

}  // namespace quern::cpu
