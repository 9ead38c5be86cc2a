#include "formats/companion.h"

#include <algorithm>
#include <iterator>

namespace quern {
namespace {

constexpr Companion kProjector = {"a projector of images or sound (mmproj), not a language model",
                                  "give the model's own file; Quern reads text alone"};
constexpr Companion kAdapter = {"a LoRA adapter, not a model",
                                "merge it into its model first (llama.cpp: llama-export-lora)"};
constexpr Companion kImatrix = {"an importance matrix for quantizing, not a model",
                                "give the model's own file"};
constexpr Companion kControlVector = {"a control vector, not a model", "give the model's own file"};

// A key and its value; no value: any. Files older than general.type are recognized by other keys.
struct Sign {
  const char *key, *value;
  const Companion* companion;
};
constexpr Sign kSigns[] = {
    {"general.type", "mmproj", &kProjector},
    {"general.architecture", "clip", &kProjector},
    {"general.type", "adapter", &kAdapter},
    {"adapter.type", nullptr, &kAdapter},
    {"general.type", "imatrix", &kImatrix},
    {"imatrix.datasets", nullptr, &kImatrix},
    {"general.architecture", "controlvector", &kControlVector},
};

}  // namespace

const Companion* find_companion(const Metadata& metadata) {
  const auto* sign = std::ranges::find_if(kSigns, [&](const Sign& s) {
    return s.value ? metadata.text(s.key) == s.value : metadata.entries.contains(s.key);
  });
  return sign == std::end(kSigns) ? nullptr : sign->companion;
}

}  // namespace quern
