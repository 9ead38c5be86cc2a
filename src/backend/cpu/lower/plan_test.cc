// Programs whose values share memory compute what they compute with a buffer for each value: random
// ones are run over memory of hashes, before and after planning, and their threads in two orders.
#include <gtest/gtest.h>

#include <random>
#include <unordered_map>
#include <vector>

#include "backend/cpu/lower/lowering.h"
#include "backend/cpu/uses.h"

namespace quern::cpu {
namespace {

constexpr int kRows = 3, kWidth = 32;

uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9e3779b97f4a7c15u + b + 0x7f4a7c15u;
  x ^= x >> 29;
  return x * 0xbf58476d1ce4e5b9u;
}

// How the rows of a step take turns: each row goes through all ops before the next, in one row of
// scratch memory; or all rows go through each op together, every one by a thread of its own.
enum class Order { row_by_row, op_by_op };

class Machine {
 public:
  Machine(const Program& program, Order order) : program_(program), order_(order) {}

  // What the caller sees: hidden states, logits, and all that was appended to the cache.
  std::vector<uint64_t> run() {
    std::vector<uint64_t> seen;
    for (size_t i = 0; i < program_.steps.size(); ++i) {
      std::visit([&](const auto& step) { run(step); }, program_.steps[i]);
      if (static_cast<int>(i) + 1 == program_.n_hidden_steps)
        for (int row = 0; row < kRows; ++row)
          seen.push_back(hash(program_.hidden, program_.width, row));
    }
    for (int row = 0; row < kRows; ++row)
      seen.push_back(hash(program_.logits, program_.n_vocab, row));
    seen.push_back(cache_);
    return seen;
  }

 private:
  uint64_t& at(const View& view, int64_t column, int row) {
    const Buffer& buffer = program_.buffers[view.buffer];
    EXPECT_LE((view.column + column + 1) * buffer.column_bytes(), buffer.row_bytes);
    const int64_t bytes = buffer.offset + (view.column + column) * buffer.column_bytes();
    if (!buffer.local) return arena_[bytes + row * buffer.row_bytes];
    return scratch_[order_ == Order::row_by_row ? 0 : row][bytes];
  }
  uint64_t hash(const View& view, int64_t width, int row) {
    uint64_t all = 1;
    for (int64_t column = 0; column < width; ++column) all = mix(all, at(view, column, row));
    return all;
  }

  // Every number that is written depends on its place and on all that is read.
  void run_row(const RowOp& op, int row) {
    const auto list = uses(op);
    uint64_t all = static_cast<uint64_t>(op.kind);
    if (op.kind == RowKind::copy) {
      for (int64_t column = 0; column < op.width; ++column)
        at(op.out, column, row) = at(op.in, column, row);
      return;
    }
    for (const auto& use : list)
      if (use.reads)
        all = mix(all, hash(*use.view, use.width, use.own_row ? row : kRows - 1 - row));
    if (op.kind == RowKind::append) cache_ += mix(all, row);  // in any order
    for (const auto& use : list)
      for (int64_t column = 0; use.writes && column < use.width; ++column)
        at(*use.view, column, row) = mix(all, column);
  }
  void run(const RowStep& step) {
    if (order_ == Order::row_by_row) {
      for (int row = 0; row < kRows; ++row)
        for (const RowOp& op : step.ops) run_row(op, row);
    } else {
      for (const RowOp& op : step.ops)
        for (int row = 0; row < kRows; ++row) run_row(op, row);
    }
  }
  template <class S>
  void run(const S& step) {
    for (const auto& writes : uses(step)) {
      if (!writes.writes) continue;
      for (int row = 0; row < kRows; ++row) {
        uint64_t all = 1;
        for (const auto& reads : uses(step))
          if (!reads.writes) all = mix(all, hash(*reads.view, reads.width, row));
        for (int64_t column = 0; column < writes.width; ++column) {
          uint64_t& number = at(*writes.view, column, row);
          number = mix(all + column, writes.reads ? number : 0);
        }
      }
    }
  }

  const Program& program_;
  const Order order_;
  std::unordered_map<int64_t, uint64_t> arena_, scratch_[kRows];
  uint64_t cache_ = 0;
};

// Appends random steps; every view that is read was written.
class Writer {
 public:
  explicit Writer(unsigned seed) : random_(seed) {
    program.max_rows = kRows;
    program.numerics = Numerics::fast;
    program.n_vocab = program.width = kWidth;
  }

  Program write(int n) {
    op({.kind = RowKind::embed, .out = value(), .width = kWidth});
    for (int i = 0; i < n; ++i) {
      append_one();
      if (i == n / 2) {
        program.n_hidden_steps = static_cast<int>(program.steps.size());
        program.hidden = last();
      }
    }
    product(last(), false);
    program.logits = last();
    return std::move(program);
  }

  Program program;

 private:
  int below(int n) { return static_cast<int>(random_() % n); }
  View value(int width = kWidth) {
    program.buffers.push_back({Rows::tokens, Element::f32, width, 4 * width + 64});
    return {static_cast<int>(program.buffers.size() - 1)};
  }
  View last() const { return whole_.back(); }
  // One of the last few values, or a half of one twice as wide.
  View some() {
    const int n = static_cast<int>(whole_.size());
    if (!wide_.empty() && below(3) == 0)
      return {wide_[below(static_cast<int>(wide_.size()))].buffer, below(2) * kWidth};
    return whole_[n - 1 - below(std::min(n, 3))];
  }
  void op(RowOp one) {
    auto* open = program.steps.empty() ? nullptr : std::get_if<RowStep>(&program.steps.back());
    const bool opens = one.kind == RowKind::pick_used;
    if (one.out.buffer >= 0) whole_.push_back(one.out);
    if (open && !opens)
      open->ops.push_back(one);
    else
      program.steps.push_back(RowStep{Rows::tokens, {one}});
  }
  void product(View in, bool add) {
    ProductStep step = {
        .kind = ProductKind::floating, .rows = Rows::tokens, .in = in, .n_in = kWidth, .add = add};
    const bool wide = !add && below(3) == 0;
    const View out = value(wide ? 2 * kWidth : kWidth);
    if (add) op({.kind = RowKind::copy, .in = some(), .out = out, .width = kWidth});
    for (int part = 0; part < (wide ? 2 : 1); ++part)
      step.parts.push_back({.out = {out.buffer, part * kWidth}, .n_panels = kWidth / kPanelRows});
    program.steps.push_back(std::move(step));
    if (wide)
      wide_.push_back(out), whole_.push_back({out.buffer, kWidth});
    else if (!add)
      whole_.push_back(out);
  }
  void append_one() {
    constexpr RowKind kKinds[] = {RowKind::rms_norm, RowKind::swiglu,   RowKind::add,
                                  RowKind::scale,    RowKind::rope,     RowKind::round_int8,
                                  RowKind::append,   RowKind::pick_used};
    const int which = below(12);
    if (which < 8) {
      const RowKindInfo& kind = row_of(kRowKinds, kKinds[which]);
      RowOp one = {.kind = kind.of, .in = some(), .width = kWidth};
      if (kind.in2.reads) one.in2 = some();
      if (kind.out.writes) one.out = value();
      op(one);
    } else if (which == 8) {
      const View q = some(), out = value();
      program.steps.push_back(AttendStep{0, kWidth, q, out});
      whole_.push_back(out);
    } else {
      product(some(), which > 9);
    }
  }

  std::mt19937 random_;
  std::vector<View> whole_, wide_;
};

TEST(Plan, ChangesNothingOfWhatRandomProgramsCompute) {
  int n_local = 0, n_shared = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    Program program = Writer(seed).write(4 + static_cast<int>(seed % 24));
    // Unplanned, every value is at a place of its own.
    int64_t all = 0;
    for (Buffer& buffer : program.buffers) {
      buffer.offset = all;
      all += buffer.row_bytes * kRows;
    }
    const auto expected = Machine(program, Order::row_by_row).run();
    ASSERT_EQ(Machine(program, Order::op_by_op).run(), expected) << seed;
    const size_t n_values = program.buffers.size();
    plan_memory(program);
    ASSERT_EQ(Machine(program, Order::row_by_row).run(), expected) << seed << "\n";
    ASSERT_EQ(Machine(program, Order::op_by_op).run(), expected) << seed << "\n";
    EXPECT_LE(program.arena_bytes, all);
    n_shared += static_cast<int>(n_values - program.buffers.size());
    for (const Buffer& buffer : program.buffers) n_local += buffer.local;
  }
  EXPECT_GT(n_local, 150);
  EXPECT_GT(n_shared, 150);
}

// embed -> a; ops as given; the last one's result is multiplied to the logits.
struct Small {
  Program program;
  View value() {
    program.buffers.push_back({Rows::tokens, Element::f32, kWidth, 4 * kWidth});
    return {static_cast<int>(program.buffers.size() - 1)};
  }
  RowStep& rows() { return std::get<RowStep>(program.steps.back()); }
  Small() {
    program.max_rows = kRows;
    program.n_vocab = program.width = kWidth;
    program.steps.push_back(RowStep{Rows::tokens, {}});
  }
  void finish(View in) {
    program.n_hidden_steps = static_cast<int>(program.steps.size());
    program.hidden = in;
    ProductStep head = {
        .kind = ProductKind::floating, .rows = Rows::tokens, .in = in, .n_in = kWidth};
    program.logits = value();
    head.parts.push_back({.out = program.logits, .n_panels = kWidth / kPanelRows});
    program.steps.push_back(std::move(head));
    plan_memory(program);
  }
};

TEST(Plan, WritesOverWhatIsReadForTheLastTimeAlone) {
  for (const bool read_again : {false, true}) {
    Small s;
    const View a = s.value(), b = s.value(), c = s.value();
    s.rows().ops = {
        {.kind = RowKind::embed, .out = a, .width = kWidth},
        {.kind = RowKind::scale, .in = a, .out = b, .width = kWidth},
        {.kind = RowKind::swiglu, .in = b, .in2 = read_again ? a : b, .out = c, .width = kWidth}};
    s.finish(c);
    const auto& ops = std::get<RowStep>(s.program.steps[0]).ops;
    EXPECT_EQ(ops[1].in == ops[1].out, !read_again);
    EXPECT_FALSE(ops[2].in == ops[2].out);  // swiglu does not say that it may
  }
}

TEST(Plan, KeepsARowOfAThreadForWhatItsRowAloneReads) {
  for (const RowKind reader : {RowKind::rms_norm, RowKind::pick_used}) {
    Small s;
    const View a = s.value(), b = s.value();
    s.rows().ops = {{.kind = RowKind::embed, .out = a, .width = kWidth},
                    {.kind = reader, .in = a, .out = b, .width = kWidth}};
    s.finish(b);
    EXPECT_EQ(s.program.buffers[0].local, reader == RowKind::rms_norm);
    EXPECT_FALSE(s.program.buffers[1].local);  // the head reads it
  }
}

TEST(Plan, SavesTheCopyOfAResidualThatNobodyElseReads) {
  for (const bool read_again : {false, true}) {
    Small s;
    const View a = s.value(), sum = s.value(), b = s.value();
    s.rows().ops = {{.kind = RowKind::embed, .out = a, .width = kWidth}};
    s.program.steps.push_back(AttendStep{0, kWidth, a, b});
    s.program.steps.push_back(
        RowStep{Rows::tokens, {{.kind = RowKind::copy, .in = a, .out = sum, .width = kWidth}}});
    ProductStep product = {.kind = ProductKind::floating,
                           .rows = Rows::tokens,
                           .in = read_again ? a : b,
                           .n_in = kWidth,
                           .add = true};
    product.parts.push_back({.out = sum, .n_panels = kWidth / kPanelRows});
    s.program.steps.push_back(std::move(product));
    s.finish(sum);
    EXPECT_EQ(s.program.steps.size(), read_again ? 5u : 4u);
    EXPECT_EQ(s.program.n_hidden_steps, read_again ? 4 : 3);
  }
}

}  // namespace
}  // namespace quern::cpu
