#include "api/c_api/start_request.h"

#include <utility>

#include "api/c_api/request_json.h"

namespace quern::c_api {
namespace {

struct ToIds {
  const Model& model;
  const GenerateRequest& request;

  Result<Ids> operator()(const Ids& ids) const { return ids; }
  Result<Ids> operator()(const std::string& text) const {
    return model.tokenize(text, request.special);
  }
  Result<Ids> operator()(const Messages& messages) const {
    return model.chat_prompt(messages, {.special = request.special,
                                        .tools = request.tools,
                                        .template_kwargs = request.template_kwargs});
  }
};

}  // namespace

Result<Started> start_request(const Model& model, std::string_view json) {
  TRY(GenerateRequest request, read_request(json));
  TRY(Ids prompt, std::visit(ToIds{model, request}, request.prompt));
  return Started{std::move(prompt), std::move(request.options)};
}

}  // namespace quern::c_api
