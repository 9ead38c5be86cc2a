// How much memory the code under test asks for at once. A test that uses this has its operator new
// replaced, in the whole program; sanitizers go on working.
#pragma once
#include <cstddef>

namespace quern::testing {

// The largest single allocation of any thread since forget_allocations was called, in bytes.
size_t largest_allocation();
void forget_allocations();

}  // namespace quern::testing
