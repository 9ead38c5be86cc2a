// The sampling defaults of a model's files: the keys general.sampling.* of GGUF, and a
// generation_config.json beside the model, as Hugging Face repositories have one. The latter takes
// precedence, since it can be edited.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "formats/metadata.h"
#include "options/schema.h"
#include "quern/sampling.h"
#include "text/vocabulary.h"

namespace quern {

class GenerationDefaults {
 public:
  // model_path: a file; the JSON is looked for in its folder. No error in the files stops a load:
  // values that cannot be read or are out of range are skipped, with a line in `notes`.
  static GenerationDefaults read(const Metadata& file, const std::string& model_path,
                                 std::vector<std::string>& notes,
                                 const options::Schema& schema = options::schema());

  // `base` overridden by the files.
  SamplingOptions over(SamplingOptions base) const;

  // eos_token_id of the JSON, as far as these are control tokens of the vocabulary: a file of
  // another model must not end answers in the middle.
  std::vector<int32_t> end_ids(const Vocabulary& vocabulary) const;

 private:
  struct Reader;

  SamplingOptions values_;
  std::vector<const options::Option<SamplingOptions>*> given_;  // whose values these are
  std::vector<int32_t> ends_;
};

}  // namespace quern
