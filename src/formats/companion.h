// GGUF files that stand beside a model and are none: projectors of images, LoRA adapters,
// importance matrices, control vectors.
#pragma once
#include "formats/metadata.h"

namespace quern {

struct Companion {
  const char* what;  // "a projector of images or sound (mmproj)"
  const char* fix;   // for who gives it as a model
};

// Null: the keys say nothing of the kind.
const Companion* find_companion(const Metadata& metadata);

}  // namespace quern
