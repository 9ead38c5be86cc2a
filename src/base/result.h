// Result (quern/result.h) and the two macros that pass an error on. Failures caused by input or
// machine travel as Result; bugs stop at CHECK (base/check.h). No exception crosses a folder.
#pragma once
#include "base/check.h"
#include "quern/result.h"

// TRY(auto header, read_header(file));  returns the error to the caller, or goes on with the value.
#define TRY(declaration, expression) TRY_AT(declaration, expression, __COUNTER__)
#define TRY_AT(declaration, expression, n) TRY_AS(declaration, expression, n)
#define TRY_AS(declaration, expression, n) \
  auto try_##n = (expression);             \
  if (!try_##n) return try_##n.error();    \
  declaration = std::move(*try_##n)

// TRY_OK(verify(graph));  the same for a Result without a value.
#define TRY_OK(expression) \
  if (auto outcome = (expression); !outcome) return outcome.error()
