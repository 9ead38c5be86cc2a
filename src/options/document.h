// docs/options.md, made from the rows.
#pragma once
#include <string>

#include "options/schema.h"

namespace quern::options {

std::string options_document(const Schema& schema = quern::options::schema());

}  // namespace quern::options
