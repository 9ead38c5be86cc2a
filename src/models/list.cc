// Every family, one row each.
#include <string>

#include "models/family.h"

namespace quern {

extern const Family kLlama;

namespace {
const Family* const kFamilies[] = {&kLlama};
}

std::span<const Family* const> families() { return kFamilies; }

Result<Graph> build_graph(const WeightSource& source, const Config& config) {
  std::string known;
  for (const Family* family : families()) {
    if (source.architecture() == family->gguf) {
      Graph graph;
      graph.logits = family->build(config, Builder(graph, source)).id;
      TRY_OK(verify(graph));
      return graph;
    }
    known += (known.empty() ? "" : ", ") + std::string(family->gguf);
  }
  return Error{Code::unsupported,
               "no model family for architecture '" + source.architecture() + "'", source.path(),
               "this build runs: " + known};
}

}  // namespace quern
