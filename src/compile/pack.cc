// Each weight into the panels its kernel reads, in the order of use, straight from the file, on all
// threads: each packs what it will read.
#include <algorithm>
#include <string>
#include <utility>

#include "backend/cpu/work_queue.h"
#include "compile/compilation.h"

namespace quern {
namespace {

constexpr int64_t kAlign = 64;

struct Job {
  std::string name;
  int64_t offset, bytes;
  int64_t first_panel, all_panels;  // in the line of panels of the product it is part of
};

int64_t panels_of(const LinearPart& part) {
  return (part.width + cpu::kPanelRows - 1) / cpu::kPanelRows;
}

Result<std::vector<Job>> list_jobs(const Compilation& c, int64_t& total) {
  std::vector<Job> jobs;
  for (size_t i = 0; i < c.graph.nodes.size(); ++i) {
    if (c.graph.nodes[i].op != Op::linear || c.products[i] == cpu::ProductKind::exact) continue;
    int64_t first = 0, all = 0;
    const auto& parts = std::get<Linear>(c.graph.nodes[i].attributes).parts;
    for (const LinearPart& part : parts) all += panels_of(part);
    for (const LinearPart& part : parts) {
      const int64_t first_panel = std::exchange(first, first + panels_of(part));
      const auto same = [&](const Job& job) { return job.name == part.weight; };
      if (std::ranges::any_of(jobs, same)) continue;
      const BoundWeight& w = c.weights.at(part.weight);
      const int64_t bytes = cpu::packed_bytes(*w.format, w.matrix.n_rows, w.matrix.n_cols);
      jobs.push_back({part.weight, total, bytes, first_panel, all});
      total += (bytes + kAlign - 1) / kAlign * kAlign;
    }
  }
  return jobs;
}

}  // namespace

Result<> pack(Compilation& c) {
  int64_t total = 0;
  TRY(const std::vector<Job> jobs, list_jobs(c, total));
  TRY(c.program.weights, cpu::WeightMemory::allocate(total));
  for (const Job& job : jobs) {
    const BoundWeight& w = c.weights.at(job.name);
    std::byte* out = c.program.weights.data() + job.offset;
    c.packed[job.name] = {.layout = cpu::layout_of(*w.format),
                          .form = w.format->integer,
                          .n_out = w.matrix.n_rows,
                          .n_in = w.matrix.n_cols,
                          .data = {out, static_cast<size_t>(job.bytes)}};
    const int64_t n_panels = c.packed[job.name].n_panels();
    c.pool.run([&](int thread, int n_threads) {
      const cpu::Range mine =
          cpu::share_of_part(job.all_panels, job.first_panel, n_panels, thread, n_threads);
      cpu::pack(w.matrix, mine.first, mine.last, out);
    });
    c.source.give_back(w.matrix.data);
    if (c.options.progress)
      c.options.progress(static_cast<double>(job.offset + job.bytes) / static_cast<double>(total),
                         "packing weights");
  }
  return Ok{};
}

}  // namespace quern
