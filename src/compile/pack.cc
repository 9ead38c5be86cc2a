// Each weight into the panels its kernel reads, in the order of use, straight from the file, on all
// threads.
#include <algorithm>
#include <string>
#include <utility>

#include "compile/compilation.h"

namespace quern {
namespace {

constexpr int64_t kAlign = 64;

struct Job {
  std::string name;
  int64_t offset, bytes;
};

Result<std::vector<Job>> list_jobs(const Compilation& c, int64_t& total) {
  std::vector<Job> jobs;
  for (size_t i = 0; i < c.graph.nodes.size(); ++i) {
    if (c.graph.nodes[i].op != Op::linear || c.products[i] == cpu::ProductKind::exact) continue;
    for (const LinearPart& part : std::get<Linear>(c.graph.nodes[i].attributes).parts) {
      const auto same = [&](const Job& job) { return job.name == part.weight; };
      if (std::ranges::any_of(jobs, same)) continue;
      const BoundWeight& w = c.weights.at(part.weight);
      const int64_t bytes = cpu::packed_bytes(*w.format, w.matrix.n_rows, w.matrix.n_cols);
      jobs.push_back({part.weight, total, bytes});
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
      cpu::pack(w.matrix, n_panels * thread / n_threads, n_panels * (thread + 1) / n_threads, out);
    });
    c.source.give_back(w.matrix.data);
    if (c.options.progress)
      c.options.progress(static_cast<double>(job.offset + job.bytes) / static_cast<double>(total),
                         "packing weights");
  }
  return Ok{};
}

}  // namespace quern
