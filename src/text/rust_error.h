// Outcomes of the C ABI in rust/text as Results. Private to src/text.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "quern_text.h"

namespace quern {

inline quern_text_view view_of(std::string_view text) { return {text.data(), text.size()}; }

inline std::string_view text_of(quern_text_view view) { return {view.data, view.size}; }

// Takes ownership of `message`. `where` names the tokenizer or template.
Error rust_error(quern_text_code code, quern_text_bytes message, std::string where);

// Takes ownership of `bytes`.
std::string take(quern_text_bytes bytes);

}  // namespace quern
