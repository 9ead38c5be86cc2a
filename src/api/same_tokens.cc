#include "api/same_tokens.h"

#include <algorithm>
#include <string>

#include "api/vocabulary_from_gguf.h"

namespace quern {
namespace {

constexpr int kMaxMore = 128;  // ids without a text of their own, that fill a matrix up

struct SpecialId {
  const char* name;
  int32_t Vocabulary::*id;
};
constexpr SpecialId kSpecialIds[] = {
    {"begins a text", &Vocabulary::bos},
    {"ends a text", &Vocabulary::eos},
};

std::string token_name(int32_t id) { return id < 0 ? "none" : "token " + std::to_string(id); }

std::string quoted(const std::string& text) {
  constexpr size_t kMax = 40;
  return "'" + (text.size() > kMax ? text.substr(0, kMax) + "..." : text) + "'";
}

// The first thing in which they differ; empty: none.
std::string difference(const Vocabulary& model, const Vocabulary& draft) {
  if (model.kind != draft.kind)
    return "its tokenizer is of kind " + quoted(draft.kind) + ", not " + quoted(model.kind);
  const size_t n = std::min(model.tokens.size(), draft.tokens.size());
  if (std::max(model.tokens.size(), draft.tokens.size()) > n + kMaxMore)
    return "it has " + std::to_string(draft.tokens.size()) + " tokens, not " +
           std::to_string(model.tokens.size());
  for (size_t i = 0; i < n; ++i) {
    if (model.tokens[i] != draft.tokens[i])
      return "its token " + std::to_string(i) + " is " + quoted(draft.tokens[i]) + ", not " +
             quoted(model.tokens[i]);
  }
  for (const SpecialId& special : kSpecialIds) {
    if (model.*special.id != draft.*special.id)
      return "what " + std::string(special.name) + " is " + token_name(draft.*special.id) +
             ", not " + token_name(model.*special.id);
  }
  return "";
}

// Tokens that the model has, whatever they are; 0 where that is not there to see.
int64_t n_embeddings(const WeightSource& source) {
  const Weight* table = source.find("token_embd.weight");
  return table ? table->n_rows() : 0;
}

bool absent(const Result<Vocabulary>& vocabulary) {
  return !vocabulary && vocabulary.error().code == Code::not_found;
}

}  // namespace

Result<> check_same_tokens(const WeightSource& model, const Result<Vocabulary>& its,
                           const WeightSource& draft) {
  const Result<Vocabulary> drafts = read_vocabulary(draft);
  const auto refuse = [&](const std::string& what) {
    return Error{Code::invalid_argument,
                 "the draft model's tokens are not those of the model: " + what,
                 draft.path() + " for " + model.path(), "choose a draft model of the same family"};
  };
  if (absent(its) && absent(drafts)) {
    const int64_t n = n_embeddings(model), n_draft = n_embeddings(draft);
    if (n == n_draft) return Ok{};
    return refuse("it has " + std::to_string(n_draft) + ", not " + std::to_string(n));
  }
  if (absent(its) || absent(drafts))
    return refuse(absent(its) ? "the model's file has no tokenizer" : "its file has no tokenizer");
  if (!its) return its.error();
  if (!drafts) return drafts.error();
  if (const std::string what = difference(*its, *drafts); !what.empty()) return refuse(what);
  return Ok{};
}

}  // namespace quern
