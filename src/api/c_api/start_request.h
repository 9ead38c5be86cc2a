// A JSON request made ready for one model: its prompt as tokens.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quern/model.h"

namespace quern::c_api {

struct Started {
  std::vector<int32_t> prompt;
  GenerateOptions options;

  bool with_logprobs() const { return options.sampling.n_probs >= 0; }
};

// Errors: those of read_request, Model::tokenize and Model::chat_prompt.
Result<Started> start_request(const Model& model, std::string_view json);

}  // namespace quern::c_api
