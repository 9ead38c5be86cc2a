// Which handler answers a request: a table of methods and path patterns.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/exchange.h"

namespace quern::http {

using Handler = std::function<Task<void>(Exchange&)>;

struct Route {
  std::string method;   // "GET"
  std::string pattern;  // "/v1/models/{model}"; a last segment {name...} takes the rest of the path
  Handler handler;
  bool open = false;  // answered without a key
};

// Patterns are tried in order.
class Router {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }
  void add(std::vector<Route> routes) {
    for (Route& route : routes) routes_.push_back(std::move(route));
  }

  struct Found {
    const Route* route = nullptr;  // null: none
    Headers parameters;
    std::string allowed;  // methods of routes with this path, with commas; empty: there is none
  };
  Found find(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

// Whether the pattern fits, and what stands at its {names}.
bool fits(std::string_view pattern, std::string_view path, Headers& parameters);

}  // namespace quern::http
