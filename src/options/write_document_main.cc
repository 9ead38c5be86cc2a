// write_options_document: prints docs/options.md.
#include <cstdio>

#include "options/document.h"

int main() {
  const std::string text = quern::options::options_document();
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
