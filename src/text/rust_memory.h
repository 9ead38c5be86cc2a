// What happens where the tokenizer, template or grammar libraries get no memory.
#pragma once
#include <cstddef>

namespace quern {

// Rust cannot go on then: the process aborts. A program that wants to end otherwise gives a
// function that ends it and does not return; it is called with the bytes that were refused, on the
// thread that wanted them, and must allocate nothing. For all of the process; null: abort again.
void on_rust_out_of_memory(void (*end)(size_t bytes));

}  // namespace quern
