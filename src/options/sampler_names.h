// The samplers of a chain, in the order in which they are applied where `samplers` is empty.
#pragma once
#include <string_view>

#include "options/option.h"

namespace quern::options {

inline constexpr KnownName kSamplerNames[] = {
    {"penalties"}, {"dry"}, {"top_n_sigma"},        {"top_k"}, {"typ_p", "typical_p"}, {"top_p"},
    {"min_p"},     {"xtc"}, {"temperature", "temp"}};

// In any case; null: there is none.
const KnownName* find_name(std::span<const KnownName> names, std::string_view name);

}  // namespace quern::options
