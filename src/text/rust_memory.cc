#include "text/rust_memory.h"

#include "quern_text.h"

namespace quern {

void on_rust_out_of_memory(void (*end)(size_t bytes)) { quern_text_on_out_of_memory(end); }

}  // namespace quern
