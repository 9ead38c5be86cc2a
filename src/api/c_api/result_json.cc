#include "api/c_api/result_json.h"

#include "api/c_api/json_text.h"
#include "options/json.h"

#include <span>
#include <string_view>
#include <utility>

namespace quern::c_api {
namespace {

Json logprobs_of(std::span<const TokenLogprobs> logprobs) {
  Json all = Json::array();
  for (const TokenLogprobs& one : logprobs) {
    Json top = Json::array();
    for (const TokenProb& other : one.top)
      top.push_back({{"id", other.id}, {"logprob", options::to_json(other.logprob)}});
    all.push_back(
        {{"id", one.id}, {"logprob", options::to_json(one.logprob)}, {"top", std::move(top)}});
  }
  return all;
}

Json answer(std::string_view text, std::span<const int32_t> ids,
            std::span<const TokenLogprobs> logprobs, bool with_logprobs) {
  Json out = {{"text", text}, {"ids", Json::array()}};
  for (const int32_t id : ids) out["ids"].push_back(id);
  if (with_logprobs) out["logprobs"] = logprobs_of(logprobs);
  return out;
}

Json timings_of(const Timings& timings) {
  return {{"prompt_n", timings.prompt_n},
          {"cached_n", timings.cached_n},
          {"predicted_n", timings.predicted_n},
          {"draft_n", timings.draft_n},
          {"draft_true_n", timings.draft_true_n},
          {"prompt_ms", timings.prompt_ms},
          {"predicted_ms", timings.predicted_ms},
          {"queue_ms", timings.queue_ms},
          {"first_token_ms", timings.first_token_ms},
          {"per_token_ms", timings.per_token_ms}};
}

}  // namespace

std::string info_json(const ModelInfo& info) {
  return to_text({{"path", info.path},
                  {"format", info.format},
                  {"architecture", info.architecture},
                  {"name", info.name},
                  {"n_vocab", info.n_vocab},
                  {"n_layers", info.n_layers},
                  {"width", info.width},
                  {"context", info.context},
                  {"file_bytes", info.file_bytes},
                  {"n_parameters", info.n_parameters},
                  {"has_chat_template", info.has_chat_template}});
}

std::string counts_json(const EngineCounts& counts) {
  return to_text({{"n_steps", counts.n_steps},
                  {"n_rows", counts.n_rows},
                  {"n_preempted", counts.n_preempted},
                  {"n_cached_tokens", counts.n_cached_tokens},
                  {"n_drafts", counts.n_drafts},
                  {"n_true_drafts", counts.n_true_drafts},
                  {"n_model_drafts", counts.n_model_drafts},
                  {"n_true_model_drafts", counts.n_true_model_drafts},
                  {"n_prefix_hits", counts.n_prefix_hits},
                  {"n_answers", counts.n_answers},
                  {"n_generated", counts.n_generated},
                  {"n_running", counts.n_running},
                  {"n_waiting", counts.n_waiting},
                  {"n_pages", counts.n_pages},
                  {"n_used_pages", counts.n_used_pages},
                  {"n_cached_pages", counts.n_cached_pages}});
}

std::string piece_json(const Delta& delta, bool with_logprobs) {
  return to_text(answer(delta.text, delta.ids, delta.logprobs, with_logprobs));
}

std::string embeddings_json(const Embeddings& embeddings) {
  return to_text({{"pooling", name(embeddings.pooling)},
                  {"dimensions", embeddings.dimensions},
                  {"n_tokens", embeddings.n_tokens}});
}

std::string generation_json(const Generation& generation, bool with_logprobs) {
  Json out = answer(generation.text, generation.ids, generation.logprobs, with_logprobs);
  out["finish"] = name(generation.finish);
  out["timings"] = timings_of(generation.timings);
  if (!generation.notes.empty()) out["notes"] = generation.notes;
  return to_text(out);
}

}  // namespace quern::c_api
