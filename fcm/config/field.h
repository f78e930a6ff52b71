// What an option may hold, beside plain bool, int64_t, double, std::string and vectors of numbers.
//
// An options struct lists its fields once, in a member `visit`:
//
//     struct MaskOptions {
//       double ratio = 0.75;
//       template <class Visitor>
//       void visit(Visitor& visitor) {
//         visitor("ratio", ratio, Range{0.0, 0.99}, "share of patches hidden from each view");
//       }
//     };
//
// and a recipe lists its sections: visitor.section("masks", masks). Reading TOML, --set, help,
// printing, hashing and the docs are all made from that list (fields.h, recipe_io.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace fcm::config {

// Allowed values of a number (each element, for a vector), ends included. Values are always finite.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  size_t length = 0;  // elements a vector must have; 0: one or more
};

// Allowed values of a string. Empty: any text.
struct OneOf {
  std::vector<std::string> names;
};

// A number, or the word "all" (held as 0): masks.views = 1, masks.views = "all".
struct CountOrAll {
  int64_t count = 0;
  bool all() const { return count == 0; }
};

}  // namespace fcm::config
