// quern/quern.h: vectors that stand for texts.
#include <utility>
#include <variant>
#include <vector>

#include "api/c_api/handles.h"
#include "api/c_api/request_json.h"
#include "api/c_api/result_json.h"

using namespace quern;
using c_api::needed;

namespace {

Result<std::vector<c_api::Ids>> ids_of(const Model& model, const c_api::EmbedRequest& request) {
  std::vector<c_api::Ids> all;
  for (const auto& text : request.texts) {
    if (const auto* ids = std::get_if<c_api::Ids>(&text)) {
      all.push_back(*ids);
    } else {
      TRY(all.emplace_back(), model.tokenize(std::get<std::string>(text)));
    }
  }
  return all;
}

}  // namespace

quern_code quern_embed(const quern_model* model, const char* request, float** values, char** result,
                       quern_error** error) {
  if (values != nullptr) *values = nullptr;
  if (result != nullptr) *result = nullptr;
  return c_api::guarded(error, [&]() -> Result<> {
    TRY_OK(needed(model, "model"));
    TRY_OK(needed(request, "request"));
    TRY_OK(needed(values, "values"));
    TRY_OK(needed(result, "result"));
    TRY(const c_api::EmbedRequest read, c_api::read_embed_request(request));
    TRY(const auto ids, ids_of(model->model, read));
    TRY(const Embeddings made, model->model.embed(ids, read.options));
    *result = c_api::given_text(c_api::embeddings_json(made));
    *values = c_api::given_floats(made.values);
    return Ok{};
  });
}
