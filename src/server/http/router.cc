#include "server/http/router.h"

namespace quern::http {
namespace {

std::string_view take_segment(std::string_view& rest) {
  rest.remove_prefix(1);  // the slash
  const size_t end = rest.find('/');
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(segment.size());
  return segment;
}

}  // namespace

bool fits(std::string_view pattern, std::string_view path, Headers& parameters) {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view whole_rest = path.substr(1);
    const std::string_view wanted = take_segment(pattern), segment = take_segment(path);
    if (!wanted.starts_with('{')) {
      if (wanted != segment) return false;
      continue;
    }
    const std::string_view name = wanted.substr(1, wanted.size() - 2);
    if (name.ends_with("...")) {
      parameters.emplace_back(name.substr(0, name.size() - 3), whole_rest);
      return !whole_rest.empty();
    }
    if (segment.empty()) return false;
    parameters.emplace_back(name, segment);
  }
  return pattern.empty() && path.empty();
}

Router::Found Router::find(std::string_view method, std::string_view path) const {
  Found found;
  if (!path.starts_with('/')) return found;
  for (const Route& route : routes_) {
    Headers parameters;
    if (!fits(route.pattern, path, parameters)) continue;
    if (!found.allowed.empty()) found.allowed += ", ";
    found.allowed += route.method;
    if (route.method != method || found.route) continue;
    found.route = &route;
    found.parameters = std::move(parameters);
  }
  return found;
}

}  // namespace quern::http
