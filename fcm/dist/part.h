// How a group divides values among its ranks.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fcm::dist {

struct Part {
  int64_t begin = 0, end = 0;  // the elements [begin, end)
  int64_t size() const { return end - begin; }
};

// The intersection of `part` with the elements [begin, end), counted from `begin`; possibly empty.
inline Part part_within(Part part, int64_t begin, int64_t end) {
  return {std::clamp(part.begin, begin, end) - begin, std::clamp(part.end, begin, end) - begin};
}

// The part of one rank. Parts are contiguous, in rank order, and cover all elements. They begin at
// multiples of 64 elements, so that no two ranks share a cache line, whatever the dtype.
inline Part part_of_rank(int64_t rank, int64_t ranks, int64_t elements) {
  constexpr int64_t kLine = 64;
  const int64_t lines = (elements + kLine - 1) / kLine;
  const auto border = [&](int64_t of) { return std::min(lines * of / ranks * kLine, elements); };
  return {border(rank), border(rank + 1)};
}

}  // namespace fcm::dist
