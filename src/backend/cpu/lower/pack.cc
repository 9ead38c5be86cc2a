// Each weight into the panels its kernel reads, in the order of use, straight from the file, on all
// threads, each what it will read; or mapped, where an earlier load has kept them.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "backend/cpu/lower/lowering.h"
#include "backend/cpu/work_queue.h"
#include "backend/packed_cache.h"
#include "base/checksum.h"

namespace quern::cpu {
namespace {

constexpr int64_t kAlign = 64;

struct Job {
  std::string name;
  int64_t offset, bytes;
  int64_t first_panel, all_panels;  // in the line of panels of the product it is part of
};

int64_t panels_of(const BoundWeight& w) { return (w.matrix.n_rows + kPanelRows - 1) / kPanelRows; }
int64_t panels_of(const LinearPart& part) { return (part.width + kPanelRows - 1) / kPanelRows; }

Result<std::vector<Job>> list_jobs(const Lowering& c, int64_t& total) {
  std::vector<Job> jobs;
  for (size_t i = 0; i < c.graph.nodes.size(); ++i) {
    if (c.graph.nodes[i].op != Op::linear || c.products[i] == ProductKind::exact) continue;
    int64_t first = 0, all = 0;
    const auto& parts = std::get<Linear>(c.graph.nodes[i].attributes).parts;
    for (const LinearPart& part : parts) all += panels_of(part);
    for (const LinearPart& part : parts) {
      const int64_t first_panel = std::exchange(first, first + panels_of(part));
      const auto same = [&](const Job& job) { return job.name == part.weight; };
      if (std::ranges::any_of(jobs, same)) continue;
      const BoundWeight& w = c.weights.matrices.at(part.weight);
      const int64_t bytes = packed_bytes(*w.format, w.matrix.n_rows, w.matrix.n_cols);
      jobs.push_back({part.weight, total, bytes, first_panel, all});
      total += (bytes + kAlign - 1) / kAlign * kAlign;
    }
  }
  return jobs;
}

// What a file says it has must be what this model needs.
Result<> check_entry(const PackedFile& file, const Job& job, const BoundWeight& w) {
  const PackedEntry* entry = file.find(job.name);
  if (entry && entry->dtype == w.matrix.dtype && entry->n_out == w.matrix.n_rows &&
      entry->n_in == w.matrix.n_cols && std::ssize(entry->data) == job.bytes)
    return Ok{};
  return Error{Code::corrupt, "packed weights without " + job.name + " as the model has it",
               file.map.path(), ""};
}

// Packs one panel, any one of them, and compares: a file by a program that packs otherwise does not
// pass, whether or not somebody thought of raising kPackedVersion.
Result<> check_panel(const PackedFile& file, const Job& job, const BoundWeight& w) {
  const std::span<const std::byte> data = file.find(job.name)->data;
  const int64_t n_panels = panels_of(w), bytes = job.bytes / n_panels;
  const auto key = std::as_bytes(std::span(file.contents.key));
  const auto panel = static_cast<int64_t>(checksum(key) % static_cast<uint64_t>(n_panels));
  // Of the whole matrix, but only the panel's pages are ever touched.
  TRY(const WeightMemory fresh, WeightMemory::allocate(job.bytes, false));
  pack(w.matrix, panel, panel + 1, fresh.data());
  if (std::memcmp(fresh.data() + panel * bytes, data.data() + panel * bytes, bytes) == 0)
    return Ok{};
  return Error{Code::unsupported, "packed weights by another version of this program",
               file.map.path(), ""};
}

Result<PackedFile> find_packed(Lowering& c, const std::vector<Job>& jobs, const std::string& key) {
  TRY(PackedFile file, PackedCache(c.options.packed_folder).find(key));
  std::vector<Dtype> seen;
  for (const Job& job : jobs) {
    const BoundWeight& w = c.weights.matrices.at(job.name);
    TRY_OK(check_entry(file, job, w));
    if (std::ranges::find(seen, w.matrix.dtype) != seen.end()) continue;
    TRY_OK(check_panel(file, job, w));
    seen.push_back(w.matrix.dtype);
  }
  return file;
}

// True: all weights come from a file.
bool map_packed(Lowering& c, const std::vector<Job>& jobs, const std::string& key) {
  auto file = find_packed(c, jobs, key);
  if (!file) {
    const Error& error = file.error();
    if (error.code != Code::not_found && c.options.note)
      c.options.note(error.what + ": packed anew (" + error.where + ")");
    return false;
  }
  file->map.want_large_pages();
  const std::byte* begin = file->map.bytes().data();
  for (const Job& job : jobs) c.packed_at[job.name] = file->find(job.name)->data.data() - begin;
  c.program_weights.file = std::move(file->map);
  return true;
}

// The part of a matrix's file that panels [first, last) are made of; nothing where a format lays
// out the whole matrix at once.
std::span<const std::byte> source_of(const QuantMatrix& m, int64_t first, int64_t last) {
  if (info(m.dtype).bytes == 0) return {};
  const int64_t row_bytes = std::ssize(m.data) / m.n_rows;
  const int64_t begin = first * kPanelRows * row_bytes;
  return m.data.subspan(begin, std::min(last * kPanelRows, m.n_rows) * row_bytes - begin);
}

// One thread's panels, piece by piece, and what was read of the file is given back at once: a
// vocabulary's matrix is large enough to matter.
void pack_share(const WeightSource& source, const QuantMatrix& m, Range panels, std::byte* out) {
  constexpr int64_t kPieceBytes = int64_t{8} << 20;  // of the file
  const int64_t panel_bytes = std::ssize(m.data) / m.n_rows * kPanelRows;
  const int64_t n = std::max<int64_t>(1, kPieceBytes / std::max<int64_t>(1, panel_bytes));
  for (int64_t first = panels.first; first < panels.last; first += n) {
    const int64_t last = std::min(first + n, panels.last);
    pack(m, first, last, out);
    source.give_back(source_of(m, first, last));
  }
}

Result<> pack_all(Lowering& c, const std::vector<Job>& jobs, int64_t total) {
  TRY(c.program_weights.memory, WeightMemory::allocate(total));
  for (const Job& job : jobs) {
    const BoundWeight& w = c.weights.matrices.at(job.name);
    std::byte* out = c.program_weights.memory.data() + job.offset;
    c.packed_at[job.name] = job.offset;
    const int64_t n_panels = panels_of(w);
    c.pool.run([&](int thread, int n_threads) {
      const Range mine =
          share_of_part(job.all_panels, job.first_panel, n_panels, thread, n_threads);
      pack_share(*c.weights.source, w.matrix, mine, out);
    });
    c.weights.source->give_back(w.matrix.data);
    if (c.options.progress)
      c.options.progress(static_cast<double>(job.offset + job.bytes) / static_cast<double>(total),
                         "packing weights");
  }
  return Ok{};
}

PackedContents contents_of(const Lowering& c, const std::vector<Job>& jobs, std::string key) {
  std::error_code ignored;
  PackedContents contents = {
      .key = std::move(key),
      .source = std::filesystem::absolute(c.weights.source->path(), ignored).string()};
  for (const Job& job : jobs) {
    const QuantMatrix& matrix = c.weights.matrices.at(job.name).matrix;
    contents.matrices.push_back(
        {.name = job.name,
         .dtype = matrix.dtype,
         .n_out = matrix.n_rows,
         .n_in = matrix.n_cols,
         .data = c.program_weights.packed().subspan(static_cast<size_t>(c.packed_at.at(job.name)),
                                                    static_cast<size_t>(job.bytes))});
  }
  return contents;
}

}  // namespace

Result<> pack(Lowering& c) {
  int64_t total = 0;
  TRY(const std::vector<Job> jobs, list_jobs(c, total));
  if (jobs.empty()) return Ok{};
  const auto key = c.options.packed_folder.empty() ? std::nullopt : packed_key(*c.weights.source);
  if (key && map_packed(c, jobs, *key)) return Ok{};
  const auto begin = std::chrono::steady_clock::now();
  TRY_OK(pack_all(c, jobs, total));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (key && c.options.packed) c.options.packed(contents_of(c, jobs, *key), seconds.count());
  return Ok{};
}

}  // namespace quern::cpu
