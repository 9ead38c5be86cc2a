// What the values of options are called, on command lines and in JSON; by value of their enum.
#pragma once
#include <span>

namespace quern::options {

using NameList = std::span<const char* const>;

NameList numerics_names();
NameList kv_names();
NameList packed_names();
NameList pooling_names();
NameList grammar_names();

}  // namespace quern::options
