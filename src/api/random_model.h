// Models of well-known shapes with random weights, made in memory: for measuring speed without a
// file. What they say is noise.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/weight_source.h"

namespace quern {

std::vector<std::string_view> shape_names();          // "smollm2-135m", "llama-3.1-8b", ...
std::vector<std::string_view> random_format_names();  // "q4_0", ...: formats that can be written

// A llama of this shape, every matrix in this format, norms in f32. The same arguments give the
// same bytes. Errors: invalid_argument (name not known: lists what there is), unsupported (the
// shape's rows are no whole number of the format's blocks), out_of_memory.
Result<std::unique_ptr<WeightSource>> random_model(
    std::string_view shape, std::string_view format,
    const std::function<void(double done, std::string_view what)>& progress = {});

}  // namespace quern
