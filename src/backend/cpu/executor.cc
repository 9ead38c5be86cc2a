#include "backend/cpu/executor.h"

#if !defined(__wasi__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "backend/cpu/paged_cache.h"
#include "backend/cpu/pass.h"
#include "backend/cpu/timeline.h"
#include "backend/cpu/tuning.h"
#include "base/check.h"
#include "base/enum_table.h"

namespace quern::cpu {
namespace {

constexpr int64_t kAlign = 64;

// To be raised when the bytes of a page change their meaning.
constexpr int kPageVersion = 1;
// As page_layout() spells them.
constexpr EnumName<Numerics> kNumerics[] = {{Numerics::exact, "exact"},
                                            {Numerics::fine, "fine"},
                                            {Numerics::automatic, "auto"},
                                            {Numerics::fast, "fast"}};
constexpr EnumName<KvKind> kKinds[] = {{KvKind::automatic, "auto"},
                                       {KvKind::bf16, "bf16"},
                                       {KvKind::f16, "f16"},
                                       {KvKind::int8, "int8"},
                                       {KvKind::int4, "int4"}};
static_assert(has_row_for_each(kNumerics) && has_row_for_each(kKinds));

int64_t padded(int64_t n) { return (n + kAlign - 1) / kAlign * kAlign; }

class CpuExecutor final : public Executor {
 public:
  CpuExecutor(Program program, ProgramWeights weights, Pointers pointers, const Kernels& kernels,
              std::shared_ptr<ThreadPool> pool, ExecutorOptions options)
      : options_(std::move(options)),
        program_(std::move(program)),
        weights_(std::move(weights)),
        pointers_(std::move(pointers)),
        kernels_(kernels),
        pool_(std::move(pool)),
        attend_done_(program_.max_rows),
        queues_(pool_->n_threads()),
        timeline_(pool_->n_threads(), options_.profile ? n_steps() : 0) {
    CHECK(n_turns(n_steps()) < 1 << 14, "the queues tell so many turns apart");
    for (const Step& step : program_.steps)
      if (const auto* rows = std::get_if<RowStep>(&step))
        for (const RowOp& op : rows->ops)
          takes_embeddings_ |= op.kind == RowKind::embed && op.width == program_.width;
    if (!options_.profile) return;
    for (const Step& step : program_.steps) step_names_.push_back(describe(program_, step));
  }

  Result<> allocate();
  Result<> allocate_states();
  void point_to_tunings();

  int n_vocab() const override { return program_.n_vocab; }
  int width() const override { return program_.width; }
  bool takes_embeddings() const override { return takes_embeddings_; }
  int max_rows() const override { return program_.max_rows; }
  int page_tokens() const override { return kPageTokens; }
  std::span<const CacheGroup> groups() const override { return cache_.groups(); }
  Result<> forward(const Batch& batch, std::span<float> logits) override;
  Result<> embed(const Batch& batch, std::span<float> hidden) override;

  void copy_page(int group, int32_t from, int32_t to) override {
    cache_.copy_page(group, from, to);
  }
  void read_page(int group, int32_t page, std::span<std::byte> bytes) const override {
    cache_.read_page(group, page, bytes);
  }
  void write_page(int group, int32_t page, std::span<const std::byte> bytes) override {
    cache_.write_page(group, page, bytes);
  }
  std::string page_layout() const override;

 private:
  int n_steps() const { return static_cast<int>(program_.steps.size()); }
  void check(const Batch& batch) const;
  void place_rows(const Batch& batch);
  void read_tuning();
  void run_steps(const Batch& batch, int n);  // the program's first ones
  void copy_rows(const View& view, int width, std::span<float> out) const;

  ExecutorOptions options_;
  Program program_;
  ProgramWeights weights_;
  Pointers pointers_;
  const Kernels& kernels_;
  std::shared_ptr<ThreadPool> pool_;
  WeightMemory arena_, scratch_;
  PagedCache cache_;
  int64_t scratch_stride_ = 0;
  std::vector<RowPlace> places_;
  std::vector<int32_t> row_pages_;
  std::vector<RowRun> runs_;
  std::vector<std::vector<float>> rope_angles_;
  std::vector<std::vector<double>> exact_angles_;
  std::vector<AttendRun> attend_runs_;
  std::vector<std::atomic<int>> attend_done_;  // zero between passes
  SplitRoles may_split_;
  int64_t most_states_ = 0;
  WeightMemory states_;
  WorkQueues queues_;
  std::map<std::string, ProductTuning> tunings_;  // by product
  uint64_t tuning_version_ = 0;
  bool takes_embeddings_ = false;  // of the width of the hidden states
  uint16_t turn_ = 1;              // of the queues: the next pass's first
  Timeline timeline_;
  std::vector<std::string> step_names_;
};

void CpuExecutor::point_to_tunings() {
  for (const Step& step : program_.steps) {
    const auto* product = std::get_if<ProductStep>(&step);
    if (!product || product->kind == ProductKind::exact) continue;
    const ProductTuning* tuning = &tunings_[describe(program_, step)];
    for (const ProductPart& part : product->parts) pointers_.packed[part.matrix].tuning = tuning;
  }
  read_tuning();
}

void CpuExecutor::read_tuning() {
  for (auto& [product, tuning] : tunings_) tuning = tuning_of(options_.tuning.get(), product);
  if (options_.tuning) tuning_version_ = options_.tuning->version;
}

Result<> CpuExecutor::allocate() {
  TRY(arena_, WeightMemory::allocate(program_.arena_bytes));
  scratch_stride_ = padded(scratch_bytes(program_, kernels_)) + kAlign * 2;
  TRY(scratch_, WeightMemory::allocate(scratch_stride_ * pool_->n_threads()));
  TRY(cache_, PagedCache::allocate(program_, kernels_, options_.cache));
  TRY_OK(allocate_states());
  places_.resize(program_.max_rows);
  row_pages_.resize(program_.max_rows * cache_.groups().size());
  for (const RopeTable& table : program_.rope_tables) {
    const size_t n = static_cast<size_t>(program_.max_rows) * table.rotated;
    if (program_.exact())
      exact_angles_.emplace_back(n);
    else
      rope_angles_.emplace_back(n);
  }
  return Ok{};
}

// Where the threads leave the sums of splits. Rows of prompts with numerics of their own are not
// split.
Result<> CpuExecutor::allocate_states() {
  const AttentionKernels* attention = cache_kernels(kernels_, program_.numerics, program_.kv);
  const bool splits = attention && pool_->n_threads() > 1;
  may_split_ = {splits && !prompt_kernels(kernels_, program_.numerics, program_.kv), splits};
  if (!splits) return Ok{};
  most_states_ = most_attend_states(program_.max_rows, cache_.max_pages());
  int64_t bytes = 0;
  for (const AttentionShape& shape : program_.layers)
    bytes = std::max<int64_t>(bytes, shape.n_heads * attention->state_floats(shape) * 4);
  TRY(states_, WeightMemory::allocate(bytes * most_states_));
  return Ok{};
}

void CpuExecutor::check(const Batch& batch) const {
  const auto n_rows = static_cast<int64_t>(batch.tokens.size());
  CHECK(n_rows > 0 && n_rows <= program_.max_rows, "a batch has 1 to max_rows rows");
  const int64_t n_given = std::ssize(batch.embeddings) / std::max(program_.width, 1);
  for (int32_t token : batch.tokens)
    CHECK(token >= 0 ? token < program_.n_vocab : -1 - int64_t{token} < n_given,
          "token ids are below n_vocab, or name a row of the embeddings");
  int64_t row = 0;
  for (const Chunk& chunk : batch.chunks) {
    CHECK(chunk.first_row == row && chunk.n_rows > 0 && chunk.position >= 0,
          "chunks cover the rows in order");
    CHECK(chunk.n_used >= 0 && chunk.n_used <= chunk.n_rows, "used rows are rows of their chunk");
    row += chunk.n_rows;
    cache_.check(chunk.pages, chunk.position, chunk.n_rows);
  }
  CHECK(row == n_rows, "chunks cover all rows");
  for (size_t i = 0; i < batch.used.size(); ++i)
    CHECK(batch.used[i] >= 0 && batch.used[i] < n_rows &&
              (i == 0 || batch.used[i] > batch.used[i - 1]),
          "used rows ascend");
}

void CpuExecutor::place_rows(const Batch& batch) {
  for (const Chunk& chunk : batch.chunks)
    for (int i = 0; i < chunk.n_rows; ++i) {
      const int position = chunk.position + i;
      const Role role = i < chunk.n_rows - chunk.n_used ? Role::prompt : Role::used;
      places_[chunk.first_row + i] = {position % kPageTokens, position, role};
      for (int group = 0; group < std::ssize(cache_.groups()); ++group)
        row_pages_[int64_t{1} * group * program_.max_rows + chunk.first_row + i] =
            chunk.pages[group][position / kPageTokens];
    }
  for (int32_t row : batch.used)
    CHECK(places_[row].role == Role::used, "logits and hidden states are computed of used rows");
  runs_.clear();
  for (int row = 0; row < static_cast<int>(batch.tokens.size()); ++row) {
    if (runs_.empty() || runs_.back().role != places_[row].role)
      runs_.push_back({row, 0, places_[row].role});
    ++runs_.back().n_rows;
  }
}

void CpuExecutor::copy_rows(const View& view, int width, std::span<float> out) const {
  const Buffer& buffer = program_.buffers[view.buffer];
  const std::byte* row = arena_.data() + buffer.offset + view.column * buffer.column_bytes();
  for (; !out.empty(); out = out.subspan(width), row += buffer.row_bytes) {
    if (buffer.element == Element::f64) {
      const auto* numbers = reinterpret_cast<const double*>(row);
      std::transform(numbers, numbers + width, out.begin(),
                     [](double x) { return static_cast<float>(x); });
    } else {
      std::memcpy(out.data(), row, width * sizeof(float));
    }
  }
}

Result<> CpuExecutor::forward(const Batch& batch, std::span<float> logits) {
  CHECK(logits.size() == batch.used.size() * n_vocab(), "logits hold a row per used row");
  run_steps(batch, n_steps());
  copy_rows(program_.logits, program_.n_vocab, logits);
  return Ok{};
}

Result<> CpuExecutor::embed(const Batch& batch, std::span<float> hidden) {
  CHECK(hidden.size() == batch.used.size() * width(), "hidden holds a row per used row");
  run_steps(batch, program_.n_hidden_steps);
  copy_rows(program_.hidden, program_.width, hidden);
  return Ok{};
}

void CpuExecutor::run_steps(const Batch& batch, int n) {
  check(batch);
  if (options_.tuning && options_.tuning->version != tuning_version_) read_tuning();
  place_rows(batch);
  plan_attention(batch, cache_.groups(), may_split_, most_states_, attend_runs_);
  const Pass pass = {.program = program_,
                     .pointers = pointers_,
                     .kernels = kernels_,
                     .batch = batch,
                     .places = {places_.data(), batch.tokens.size()},
                     .runs = runs_,
                     .arena = arena_.data(),
                     .caches = cache_.layers(),
                     .groups = cache_.group_of_layers(),
                     .row_pages = row_pages_,
                     .rope_angles = rope_angles_,
                     .exact_angles = exact_angles_,
                     .queues = queues_,
                     .first_turn = turn_,
                     .n_threads = pool_->n_threads(),
                     .attend_runs = attend_runs_,
                     .attend_done = attend_done_,
                     .attend_states = reinterpret_cast<float*>(states_.data())};
  timeline_.clear();
  pool_->run_turns(
      n_turns(n), [&](int turn) { return count_items(pass, turn); },
      [&](int thread, int turn) {
        const Worker worker = {thread, pass.n_threads, scratch_.data() + scratch_stride_ * thread};
        if (!options_.profile || turn == 0) return run_turn(pass, worker, turn);
        const int64_t begin = Timeline::now();
        const int64_t n_done = run_turn(pass, worker, turn);
        timeline_.note(thread, turn - 1, begin);
        return n_done;
      });
  turn_ = static_cast<uint16_t>(turn_ + n_turns(n));
  if (options_.profile)
    options_.profile({step_names_, timeline_.times(), static_cast<int>(batch.tokens.size())});
}

std::string CpuExecutor::page_layout() const {
  std::string text = "cpu " + std::to_string(kKernelVersion) + "." + std::to_string(kPageVersion) +
                     " " + std::string(kernels_.isa) + ", " +
                     row_of(kNumerics, program_.numerics).text + ", ";
  text += program_.exact() ? "f64" : row_of(kKinds, program_.kv).text;
  text += ", " + std::to_string(kPageTokens) + " tokens, layers";
  for (const AttentionShape& layer : program_.layers) {
    text += " " + std::to_string(layer.n_kv_heads) + "x" + std::to_string(layer.head_dim);
    if (value_dim_of(layer) != layer.head_dim) text += ":" + std::to_string(layer.value_dim);
    if (layer.window > 0) text += "w" + std::to_string(layer.window);
  }
  return text;
}

}  // namespace

#if defined(__wasi__)  // it has no mappings
static std::byte* zeroed_pages(size_t bytes, bool) {
  void* p = std::aligned_alloc(kAlign, (bytes + kAlign - 1) / kAlign * kAlign);
  if (p) std::memset(p, 0, bytes);
  return static_cast<std::byte*>(p);
}

void FreePages::operator()(std::byte* p) const { std::free(p); }
#else
static std::byte* zeroed_pages(size_t bytes, bool large_pages) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  if (large_pages) madvise(p, bytes, MADV_HUGEPAGE);
  return static_cast<std::byte*>(p);
}

void FreePages::operator()(std::byte* p) const { munmap(p, static_cast<size_t>(bytes)); }
#endif

Result<WeightMemory> WeightMemory::allocate(int64_t bytes, bool large_pages) {
  WeightMemory memory;
  if (bytes <= 0) return memory;
  const bool addressable = bytes <= PTRDIFF_MAX - kAlign;  // not everything is, in 32 bits
  std::byte* p = addressable ? zeroed_pages(static_cast<size_t>(bytes), large_pages) : nullptr;
  if (!p)
    return Error{Code::out_of_memory, std::to_string(bytes) + " bytes of memory were refused", "",
                 "use a smaller model or context, or close other programs"};
  memory.memory_ = {p, FreePages{bytes}};
  memory.bytes_ = bytes;
  return memory;
}

namespace {

Result<> check_kernels(const Program& program, const Kernels& kernels) {
  for (const Step& step : program.steps) {
    const auto* product = std::get_if<ProductStep>(&step);
    if (!product || kernels.bf16_linear) continue;
    for (const ProductPart& part : product->parts)
      if (std::ranges::any_of(part.forms.of, is_for_tiles))
        return Error{Code::unsupported,
                     "a program for tiles, which '" + std::string(kernels.isa) + "' has not", "",
                     "compile the model again"};
  }
  return Ok{};
}

}  // namespace

Result<std::unique_ptr<Executor>> make_executor(Program program, ProgramWeights weights,
                                                const Kernels& kernels,
                                                std::shared_ptr<ThreadPool> pool,
                                                ExecutorOptions options) {
  TRY_OK(check_kernels(program, kernels));
  TRY(Pointers pointers, find_pointers(program, weights));
  auto executor =
      std::make_unique<CpuExecutor>(std::move(program), std::move(weights), std::move(pointers),
                                    kernels, std::move(pool), std::move(options));
  TRY_OK(executor->allocate());
  executor->point_to_tunings();
  return std::unique_ptr<Executor>(std::move(executor));
}

}  // namespace quern::cpu
