#include "cli/failure.h"

#include <unistd.h>

#include <cstdio>

#include "cli/exit_code.h"

namespace quern::cli {

namespace {

// File names and metadata are untrusted: they must not control the terminal.
std::string safe(const std::string& text) { return without_controls(text); }

}  // namespace

std::string format_error(const Error& error, const Palette& colours) {
  std::string text;
  text.append(colours.red).append("quern: ").append(colours.reset);
  text += safe(error.what) + "\n";
  if (!error.where.empty()) text += "  where: " + safe(error.where) + "\n";
  if (!error.fix.empty()) text += "  do:    " + safe(error.fix) + "\n";
  return text;
}

int report(const Error& error) {
  std::fflush(stdout);
  std::fputs(format_error(error, palette(STDERR_FILENO)).c_str(), stderr);
  return exit_code(error.code);
}

void warn(const std::string& text) {
  std::fflush(stdout);
  const Palette& colours = palette(STDERR_FILENO);
  std::fprintf(stderr, "%.*squern: note:%.*s %s\n", static_cast<int>(colours.yellow.size()),
               colours.yellow.data(), static_cast<int>(colours.reset.size()), colours.reset.data(),
               safe(text).c_str());
}

}  // namespace quern::cli
