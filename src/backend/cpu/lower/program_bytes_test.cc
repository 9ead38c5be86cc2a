// A program that was written and read again computes the same bits; what was damaged on the way is
// an error, or a program that is safe to run.
#include "backend/cpu/program_bytes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>

#include "backend/cpu/executor.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/lower/all_weights.h"
#include "backend/cpu/lower/lowering.h"
#include "base/checksum.h"
#include "models/config.h"
#include "models/family.h"
#include "support/tiny_llama.h"

namespace quern::cpu {
namespace {

using testing::make_tiny_llama;
using testing::TinyLlama;

constexpr int kMaxRows = 8;

struct Model {
  TinyLlama shape;
  Numerics numerics = Numerics::automatic;
  KvKind kv = KvKind::automatic;
};

std::shared_ptr<ThreadPool> pool() {
  static const auto kPool = std::shared_ptr<ThreadPool>(std::move(*ThreadPool::start(1)));
  return kPool;
}

Lowered lowered(const Model& model) {
  const auto source = make_tiny_llama(model.shape);
  const auto config = read_config(*source);
  CHECK(config, "a tiny model has a configuration");
  auto graph = build_graph(*source, *config);
  CHECK(graph, "a tiny model has a graph");
  CompileOptions options = {.numerics = model.numerics, .kv = model.kv, .max_rows = kMaxRows};
  options.pool = pool();
  auto made =
      lower(std::move(*graph), all_weights(source), options, best_kernels(detect_cpu_features()));
  CHECK(made, to_string(made.error()).c_str());
  return std::move(*made);
}

// Of a prompt of which two rows are used, then of one more token. Empty: no executor can be made.
std::vector<float> logits(Program program, ProgramWeights weights) {
  auto made =
      make_executor(std::move(program), std::move(weights), best_kernels(detect_cpu_features()),
                    pool(), {.cache = {.tokens = kPageTokens}});
  if (!made) return {};
  Executor& executor = **made;
  const auto n_vocab = static_cast<size_t>(executor.n_vocab());
  const std::vector<int32_t> tokens{1, 0, 3, 2, 1}, pages{0};
  std::vector<float> all(3 * n_vocab);
  const std::vector<int32_t> used{2, 3}, next{0};
  const std::vector<Chunk> prompt{{0, 4, 0, pages, 2}}, one{{0, 1, 4, pages, 1}};
  const std::span<const int32_t> rows(tokens);
  CHECK(executor.forward({rows.first(4), prompt, used}, std::span(all).first(2 * n_vocab)), "runs");
  CHECK(executor.forward({rows.subspan(4), one, next}, std::span(all).subspan(2 * n_vocab)),
        "runs");
  return all;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(ProgramBytes, GiveAProgramThatComputesTheSameBits) {
  const std::map<std::string, Model> models = {
      {"f32, exact", {{}, Numerics::exact}},
      {"q4_0, auto", {{.linears = Dtype::q4_0}}},
      {"q8_0, fine, tied head",
       {{.tied_head = true, .linears = Dtype::q8_0, .embedding = Dtype::q8_0}, Numerics::fine}},
      {"f16, biases, int8 cache",
       {{.biases = true, .linears = Dtype::f16}, Numerics::fast, KvKind::int8}},
      {"q4_1, rope factors, window",
       {{.rope_factors = true, .linears = Dtype::q4_1, .window = 3}, Numerics::fast}},
      {"q4_1, exact, biases", {{.biases = true, .linears = Dtype::q4_1}, Numerics::exact}},
  };
  for (const auto& [name, model] : models) {
    Lowered one = lowered(model), other = lowered(model);
    const std::vector<std::byte> bytes = to_bytes(one.program);
    EXPECT_EQ(bytes, to_bytes(other.program)) << name;
    auto read = program_from_bytes(bytes, "memory");
    ASSERT_TRUE(read) << name << ": " << to_string(read.error());
    EXPECT_EQ(to_bytes(*read), bytes) << name;
    EXPECT_EQ(print(*read, "", nullptr), print(one.program, "", nullptr)) << name;
    const auto expected = logits(std::move(one.program), std::move(one.weights));
    ASSERT_FALSE(expected.empty()) << name;
    EXPECT_TRUE(same_bits(logits(std::move(*read), std::move(other.weights)), expected)) << name;
  }
}

// The checksum of the header made right again.
std::vector<std::byte> with_checksum(std::vector<std::byte> bytes) {
  const uint64_t sum = checksum(std::span(bytes).subspan(24));
  std::memcpy(bytes.data() + 16, &sum, sizeof sum);
  return bytes;
}

TEST(ProgramBytes, DamagedOnesAreErrors) {
  const auto bytes = to_bytes(lowered({{.n_layers = 1}}).program);
  for (size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] ^= std::byte{0x11};
    const auto read = program_from_bytes(damaged, "memory");
    ASSERT_FALSE(read) << i;
    EXPECT_EQ(read.error().code, i >= 8 && i < 16 ? Code::unsupported : Code::corrupt) << i;
    EXPECT_EQ(read.error().where, "memory");
  }
  for (size_t n = 0; n < bytes.size(); n += n < 40 ? 1 : 13) {
    std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_FALSE(program_from_bytes(cut, "memory")) << n;
    if (n < 24) continue;
    EXPECT_FALSE(program_from_bytes(with_checksum(cut), "memory")) << n;
  }
  auto longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(program_from_bytes(with_checksum(longer), "memory"));
}

// Bytes by somebody who knows the checksum: what is taken is safe to run, if to no purpose.
TEST(ProgramBytes, HostileOnesAreErrorsOrRunWithinTheirMemory) {
  const Model model = {{.n_layers = 1, .biases = true, .linears = Dtype::q8_0}};
  const auto bytes = to_bytes(lowered(model).program);
  int n_refused = 0, n_run = 0;
  for (size_t i = 24; i < bytes.size(); ++i) {
    for (const std::byte flip : {std::byte{1}, std::byte{0x80}}) {
      auto hostile = bytes;
      hostile[i] ^= flip;
      auto read = program_from_bytes(with_checksum(hostile), "memory");
      if (!read) {
        EXPECT_EQ(read.error().code, Code::corrupt);
        ++n_refused;
        continue;
      }
      EXPECT_EQ(to_bytes(*read), with_checksum(hostile));
      if (i % 17 != 0 || read->max_rows > 1 << 12 || read->max_rows < 4) continue;
      logits(std::move(*read), lowered(model).weights);
      ++n_run;
    }
  }
  EXPECT_GT(n_refused, 1000);
  EXPECT_GT(n_run, 10);
}

TEST(ProgramCheck, NamesWhatDoesNotFit) {
  const Program whole =
      lowered({{.n_layers = 1, .biases = true, .rope_factors = true, .linears = Dtype::q8_0}})
          .program;
  ASSERT_TRUE(check(whole));
  const auto step_of = [](Program & p, auto kind) -> auto& {
    for (Step& step : p.steps)
      if (auto* found = std::get_if<decltype(kind)>(&step)) return *found;
    std::abort();
  };
  const auto op_of = [](Program& p, RowKind kind) -> RowOp& {
    for (Step& step : p.steps)
      if (auto* rows = std::get_if<RowStep>(&step))
        for (RowOp& op : rows->ops)
          if (op.kind == kind) return op;
    std::abort();
  };
  const auto product = [&](Program& p) -> ProductStep& { return step_of(p, ProductStep{}); };
  const std::vector<std::pair<const char*, std::function<void(Program&)>>> cases = {
      {"batch", [](Program& p) { p.max_rows = 0; }},
      {"outside of the memory", [](Program& p) { p.arena_bytes -= 64; }},
      {"outside of the memory", [](Program& p) { p.buffers[0].offset = int64_t{1} << 49; }},
      {"of no size", [](Program& p) { p.buffers[0].row_bytes = -64; }},
      {"other numerics", [](Program& p) { p.numerics = Numerics::exact; }},
      {"no kind of cache", [](Program& p) { p.kv = KvKind::automatic; }},
      {"of no step", [](Program& p) { p.n_hidden_steps = 1 << 20; }},
      {"columns outside", [](Program& p) { p.logits.column = 1 << 20; }},
      {"no such buffer", [](Program& p) { p.hidden.buffer = -1; }},
      {"their thread",
       [](Program& p) {
         p.buffers[p.logits.buffer].local = true, p.buffers[p.logits.buffer].offset = 0,
         p.local_bytes = int64_t{1} << 20;
       }},
      {"no such matrix", [&](Program& p) { product(p).parts[0].matrix = 1000; }},
      {"another shape", [&](Program& p) { product(p).n_in += 32; }},
      {"another shape", [&](Program& p) { ++product(p).parts[0].n_panels; }},
      {"another kind", [&](Program& p) { product(p).kind = ProductKind::floating; }},
      {"other numerics", [&](Program& p) { product(p).parts.clear(); }},
      {"in no form", [&](Program& p) { product(p).parts[0].forms.of[0] = RowForm::none; }},
      {"vector", [&](Program& p) { product(p).parts[0].bias = 99; }},
      {"vector", [](Program& p) { p.vectors[0].n = 1; }},
      {"no size", [](Program& p) { p.matrices[0].n_cols = 0; }},
      {"no such matrix", [](Program& p) { p.matrices[1].n_cols = 33; }},
      {"no place", [](Program& p) { p.matrices[0].packed_at = -5; }},
      {"no such layer", [&](Program& p) { step_of(p, AttendStep{}).layer = 1; }},
      {"queries", [&](Program& p) { step_of(p, AttendStep{}).width *= 2; }},
      {"attention", [](Program& p) { p.layers[0].n_kv_heads = 3; }},
      {"angles", [](Program& p) { p.rope_tables[0].rotated = 3; }},
      {"angles", [](Program& p) { p.rope_tables[0].factors.pop_back(); }},
      {"heads", [&](Program& p) { op_of(p, RowKind::rope).rope_table = 7; }},
      {"keys and values", [&](Program& p) { op_of(p, RowKind::append).width = 16; }},
      {"table", [&](Program& p) { op_of(p, RowKind::embed).table = -1; }},
      {"reads parts of what it writes",
       [&](Program& p) {
         RowOp& norm = op_of(p, RowKind::rms_norm);
         norm.out = norm.in;
         ++norm.out.column;
       }},
      {"reads parts of what it writes",
       [&](Program& p) {
         const RowOp& norm = op_of(p, RowKind::rms_norm);
         p.buffers[norm.out.buffer].local = p.buffers[norm.in.buffer].local;
         p.buffers[norm.out.buffer].offset = p.buffers[norm.in.buffer].offset;
       }},
      {"columns outside",  // a width that only append has
       [&](Program& p) {
         RowOp& gate = op_of(p, RowKind::swiglu);
         const Buffer& buffer = p.buffers[gate.in2.buffer];
         gate.width2 = 1;
         gate.in2.column = buffer.row_bytes / buffer.column_bytes() - 1;
       }},
      {"shape", [](Program& p) { p.n_vocab = 97; }},
      {"record outside", [&](Program& p) { product(p).in.column = 64; }},
  };
  for (const auto& [what, change] : cases) {
    Program changed = whole;
    change(changed);
    const auto checked = check(changed);
    ASSERT_FALSE(checked) << what;
    EXPECT_EQ(checked.error().code, Code::corrupt);
    EXPECT_NE(checked.error().what.find(what), std::string::npos)
        << what << ": " << to_string(checked.error());
    EXPECT_FALSE(program_from_bytes(to_bytes(changed), "memory"));
  }
}

TEST(ProgramWeights, ThatAreNotTheProgramsAreRefused) {
  const Model model = {{.n_layers = 1, .linears = Dtype::q8_0}};
  const auto refused = [&](const Program& program, const ProgramWeights& weights) {
    const auto found = find_pointers(program, weights);
    return !found && found.error().code == Code::corrupt;
  };
  const Lowered own = lowered(model);
  EXPECT_TRUE(find_pointers(own.program, own.weights));
  EXPECT_TRUE(refused(own.program, {}));
  EXPECT_TRUE(refused(own.program, lowered({{.n_layers = 1}, Numerics::exact}).weights));
  Program far = own.program;
  for (ProgramMatrix& matrix : far.matrices)
    if (matrix.packed_at >= 0) matrix.packed_at = int64_t{1} << 62;
  EXPECT_TRUE(refused(far, own.weights));
  Program shifted = own.program;
  shifted.vectors.back().at += kPanelRows;
  EXPECT_TRUE(refused(shifted, own.weights));
}

}  // namespace
}  // namespace quern::cpu
