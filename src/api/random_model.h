// Models of well-known shapes with random weights, made in memory: for measuring speed without a
// file. Their output is noise.
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

// Which formats a random model's matrices are written in.
struct RandomFormats {
  std::string format = "q4_0";
  // Of the vocabulary matrices (embedding and head); empty: as `format`, or q6_k where that one is
  // ternary, since models keep their vocabulary apart from it (as llama.cpp's converter does).
  std::string head;
};

// A model of this shape; norms and biases in f32. The same arguments give the same bytes.
// Errors: invalid_argument (name not known: lists what there is), unsupported (the shape's rows are
// no whole number of the format's blocks), out_of_memory.
Result<std::unique_ptr<WeightSource>> random_model(
    std::string_view shape, const RandomFormats& formats,
    const std::function<void(double done, std::string_view what)>& progress = {});

}  // namespace quern
