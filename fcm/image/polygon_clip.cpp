#include "fcm/image/polygon_clip.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace fcm::image {
namespace {

struct Corner {
  double x, y;
  bool operator==(const Corner&) const = default;
};
using Outline = std::vector<Corner>;

// Relative rounding error of products of two lengths.
constexpr double kRounding = 1e-12;

// Whether the outline reverses direction at `here`.
bool turns_back(const Corner& before, const Corner& here, const Corner& next) {
  const double ax = here.x - before.x, ay = here.y - before.y;
  const double bx = next.x - here.x, by = next.y - here.y;
  const double cross = ax * by - ay * bx, along = ax * bx + ay * by;
  return along < 0 && std::abs(cross) <= -kRounding * along;
}

// Removes points that repeat the one before and points at which the outline turns back, until no
// such point is left (removing one may expose another). Nothing remains of an outline without area,
// since it has to turn back somewhere.
Outline without_reversals(const Outline& outline) {
  const size_t count = outline.size();
  std::vector<size_t> next(count), before(count);
  for (size_t i = 0; i < count; ++i) {
    next[i] = (i + 1) % count;
    before[i] = (i + count - 1) % count;
  }
  size_t left = count, here = 0;
  for (size_t kept_in_a_row = 0; left >= 3 && kept_in_a_row < left;) {
    const size_t a = before[here], c = next[here];
    if (outline[a] != outline[here] && !turns_back(outline[a], outline[here], outline[c])) {
      ++kept_in_a_row;
      here = c;
      continue;
    }
    next[a] = c;
    before[c] = a;
    --left;
    kept_in_a_row = 0;
    here = a;  // its neighbour has changed
  }
  Outline kept;
  if (left < 3) return kept;
  // Begins with the first remaining point.
  size_t first = here;
  for (size_t i = next[here]; i != here; i = next[i]) first = std::min(first, i);
  size_t i = first;
  do {
    kept.push_back(outline[i]);
    i = next[i];
  } while (i != first);
  return kept;
}

// One side of the rectangle: clips an outline to the inner side of a line.
class HalfPlane {
 public:
  // `sign` 1: inside is >= bound; -1: inside is <= bound.
  HalfPlane(double Corner::*across, double Corner::*along, double bound, double sign)
      : across_(across), along_(along), bound_(bound), sign_(sign) {}

  void clip(const Outline& outline, std::vector<Outline>& parts) const {
    const auto outer =
        std::ranges::find_if(outline, [&](const Corner& c) { return !is_inside(c); });
    if (outer == outline.end()) {
      parts.push_back(outline);
      return;
    }
    const std::vector<Chain> chains = chains_from(outline, outer - outline.begin());
    if (!chains.empty()) join(chains, parts);
  }

 private:
  // A contiguous part of the outline that is inside; its ends lie on the line.
  using Chain = Outline;

  struct Crossing {
    double place;  // position along the line
    size_t chain;
    bool leaves;
  };

  bool is_inside(const Corner& corner) const { return sign_ * (corner.*across_ - bound_) >= 0; }

  // Where the edge from `a` (outside) to `b` (inside) crosses the line.
  Corner crossing(const Corner& a, const Corner& b) const {
    if (b.*across_ == bound_) return b;
    const double share = (bound_ - a.*across_) / (b.*across_ - a.*across_);
    Corner on_line{};
    on_line.*across_ = bound_;
    on_line.*along_ = a.*along_ + share * (b.*along_ - a.*along_);
    return on_line;
  }

  // `outer`: index of a point outside.
  std::vector<Chain> chains_from(const Outline& outline, ptrdiff_t outer) const {
    std::vector<Chain> chains;
    const size_t count = outline.size();
    for (size_t step = 0; step < count; ++step) {
      const Corner& here = outline[(static_cast<size_t>(outer) + step) % count];
      const Corner& next = outline[(static_cast<size_t>(outer) + step + 1) % count];
      const bool from_inside = is_inside(here), to_inside = is_inside(next);
      if (!from_inside && to_inside) chains.push_back({crossing(here, next)});
      if (to_inside) chains.back().push_back(next);
      if (from_inside && !to_inside) chains.back().push_back(crossing(next, here));
    }
    return chains;
  }

  // Along the line, inside and outside of the polygon alternate at each crossing. So where a chain
  // leaves, the line connects it to the paired crossing, where the next chain of the same part
  // enters.
  void join(const std::vector<Chain>& chains, std::vector<Outline>& parts) const {
    const std::vector<Crossing> crossings = sorted_crossings(chains);
    std::vector<size_t> next(chains.size());
    for (size_t i = 0; i < crossings.size(); i += 2) {
      const Crossing& one = crossings[i];
      const Crossing& other = crossings[i + 1];
      if (one.leaves == other.leaves) return join_all(chains, parts);
      (one.leaves ? next[one.chain] : next[other.chain]) = (one.leaves ? other : one).chain;
    }
    std::vector<bool> taken(chains.size());
    for (size_t first = 0; first < chains.size(); ++first) {
      if (taken[first]) continue;
      Outline part;
      for (size_t i = first; !taken[i]; i = next[i]) {
        taken[i] = true;
        part.insert(part.end(), chains[i].begin(), chains[i].end());
      }
      parts.push_back(std::move(part));
    }
  }

  // For an outline that crosses itself on or beyond the line: joins everything to one part, as
  // Sutherland and Hodgman do.
  static void join_all(const std::vector<Chain>& chains, std::vector<Outline>& parts) {
    Outline part;
    for (const Chain& chain : chains) part.insert(part.end(), chain.begin(), chain.end());
    parts.push_back(std::move(part));
  }

  std::vector<Crossing> sorted_crossings(const std::vector<Chain>& chains) const {
    std::vector<Crossing> crossings;
    for (size_t i = 0; i < chains.size(); ++i) {
      crossings.push_back({chains[i].front().*along_, i, false});
      crossings.push_back({chains[i].back().*along_, i, true});
    }
    std::ranges::stable_sort(crossings, {}, &Crossing::place);
    // Among crossings at the same position, puts matching pairs (leave and enter) together.
    for (size_t i = 0; i < crossings.size(); i += 2) {
      for (size_t k = i + 2; crossings[i].leaves == crossings[i + 1].leaves &&
                             k < crossings.size() && crossings[k].place == crossings[i + 1].place;
           ++k) {
        if (crossings[k].leaves != crossings[i].leaves) std::swap(crossings[i + 1], crossings[k]);
      }
    }
    return crossings;
  }

  double Corner::*across_;
  double Corner::*along_;
  double bound_, sign_;
};

std::vector<double> numbers_of(const Outline& outline) {
  std::vector<double> xy;
  xy.reserve(2 * outline.size());
  for (const Corner& corner : outline) {
    xy.push_back(corner.x);
    xy.push_back(corner.y);
  }
  return xy;
}

}  // namespace

std::vector<std::vector<double>> clip_polygon(std::span<const double> xy,
                                              const std::array<double, 4>& window) {
  Outline whole;
  for (size_t i = 0; i + 1 < xy.size(); i += 2) whole.push_back({xy[i], xy[i + 1]});
  std::vector<Outline> parts{without_reversals(whole)};
  const HalfPlane sides[] = {{&Corner::x, &Corner::y, window[0], 1},
                             {&Corner::x, &Corner::y, window[2], -1},
                             {&Corner::y, &Corner::x, window[1], 1},
                             {&Corner::y, &Corner::x, window[3], -1}};
  for (const HalfPlane& side : sides) {
    std::vector<Outline> inside;
    for (const Outline& part : parts) side.clip(part, inside);
    parts = std::move(inside);
  }
  std::vector<std::vector<double>> outlines;
  for (const Outline& part : parts) {
    if (const Outline bare = without_reversals(part); !bare.empty()) {
      outlines.push_back(numbers_of(bare));
    }
  }
  return outlines;
}

}  // namespace fcm::image
