// GGUF files that accompany a model and are not models: image projectors, LoRA adapters, importance
// matrices, control vectors.
#pragma once
#include "formats/metadata.h"

namespace quern {

struct Companion {
  const char* what;  // "a projector of images or sound (mmproj)"
  const char* fix;   // what to do if it was given as the model
};

// Null: it is not such a file.
const Companion* find_companion(const Metadata& metadata);

}  // namespace quern
