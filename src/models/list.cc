// Every family, one row each.
#include <string>

#include "formats/companion.h"
#include "models/family.h"
#include "models/tensor_rules.h"

namespace quern {

extern const Family kLlama, kQwen2, kBitnet, kBitnet25, kBitnetB158;

namespace {
const Family* const kFamilies[] = {&kLlama, &kQwen2, &kBitnet, &kBitnet25, &kBitnetB158};
}

std::span<const Family* const> families() { return kFamilies; }

AttentionSpec attention_spec(const Config& c, int layer) {
  return {.n_heads = c.layers[layer].n_heads,
          .n_kv_heads = c.layers[layer].n_kv_heads,
          .head_dim = c.head_dim,
          .width = c.width,
          .window = c.window,
          .rope = {.head_dim = c.head_dim,
                   .rotated = c.rotated,
                   .theta = c.rope_theta,
                   .scale = c.rope_scale,
                   .interleaved = false,
                   .factors = "rope_freqs"}};
}

Outputs outputs(const Config& c, Builder b, Value x) {
  const Value hidden = b.rms_norm(b.pick_used(x), "output_norm", c.epsilon);
  return {hidden, b.linear(hidden, c.tied_head ? "token_embd" : "output", c.n_vocab)};
}

Result<const Family*> find_family(const WeightSource& source) {
  if (const Companion* other = find_companion(source.metadata()))
    return Error{Code::unsupported, other->what, source.path(), other->fix};
  std::string known;
  for (const Family* family : families()) {
    if (source.architecture() == family->gguf) return family;
    known += (known.empty() ? "" : ", ") + std::string(family->gguf);
  }
  if (source.architecture().empty())
    return Error{Code::corrupt, "key general.architecture is missing", source.path(),
                 "the file is damaged or was made by a broken converter"};
  return Error{Code::unsupported,
               "no model family for architecture '" + source.architecture() + "'", source.path(),
               "this build runs: " + known};
}

Result<Graph> build_graph(const WeightSource& source, const Config& config) {
  TRY(const Family* family, find_family(source));
  TRY_OK(check_keys(source, config, family->keys));
  Graph graph;
  const Outputs outputs = family->build(config, Builder(graph, source));
  graph.hidden = outputs.hidden.id;
  graph.logits = outputs.logits.id;
  TRY_OK(verify(graph));
  TRY_OK(check_tensors(source, graph));
  return graph;
}

}  // namespace quern
