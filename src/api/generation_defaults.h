// How a model wants to be sampled, as its files say: the keys general.sampling.* of GGUF, and a
// generation_config.json beside the model, as Hugging Face repositories have one. The latter goes
// first: it can be edited.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "formats/metadata.h"
#include "quern/sampling.h"
#include "text/vocabulary.h"

namespace quern {

class GenerationDefaults {
 public:
  // model_path: a file; the JSON is looked for in its folder. Nothing in the files stops a model:
  // what cannot be read or is out of range is passed over, with a line in `notes`.
  static GenerationDefaults read(const Metadata& file, const std::string& model_path,
                                 std::vector<std::string>& notes);

  // `base` with what the files say put over it.
  SamplingOptions over(SamplingOptions base) const;

  // eos_token_id of the JSON, as far as these are control tokens of the vocabulary: one that
  // strayed into the folder must not end answers in the middle.
  std::vector<int32_t> end_ids(const Vocabulary& vocabulary) const;

 private:
  using Set = void (*)(SamplingOptions&, double);
  struct Reader;

  std::vector<std::pair<Set, double>> values_;  // in range; later ones go first
  std::vector<std::string> samplers_;
  std::vector<int32_t> ends_;
};

}  // namespace quern
