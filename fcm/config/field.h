// Constraints of options, and their types other than bool, int64_t, double, std::string and vectors
// of numbers.
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
// printing, hashing and the docs are all derived from that list (fields.h, recipe_io.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace fcm::config {

// Allowed values of a number (of each element, for a vector), bounds included. Values must be
// finite.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  size_t length = 0;  // elements a vector must have; 0: one or more; kAnyLength: zero or more
  static constexpr size_t kAnyLength = std::numeric_limits<size_t>::max();
};

// Allowed values of a string. Empty: any text.
struct OneOf {
  std::vector<std::string> names;
};

// A number, or the word "all" (stored as 0): masks.views = 1, masks.views = "all".
struct CountOrAll {
  int64_t count = 0;
  bool all() const { return count == 0; }
};

// A number or a list of numbers, such as one per stage: encoder.heads = 12, encoder.heads = [4, 8,
// 16, 32]. A list of one element is printed as the number.
struct OneOrMore {
  std::vector<int64_t> values;

  OneOrMore(int64_t one) : values{one} {}                                  // NOLINT(*-explicit-*)
  OneOrMore(std::vector<int64_t> several) : values(std::move(several)) {}  // NOLINT(*-explicit-*)
  OneOrMore(std::initializer_list<int64_t> several) : values(several) {}
  int64_t last() const { return values.back(); }
  bool operator==(const OneOrMore&) const = default;
};

}  // namespace fcm::config
