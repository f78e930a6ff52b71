#include "fcm/viz/feature_image.h"

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/viz/reconstruction.h"

namespace fcm::viz {
namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double length(std::span<const double> a) { return std::sqrt(dot(a, a)); }

// The first principal direction of the rows of x [L, D], by power iteration; zero if all rows are
// zero. The element of largest magnitude is made positive, so that sheets of one network can be
// compared.
std::vector<double> first_principal_direction(const std::vector<double>& x_LD, size_t dim) {
  const std::span<const double> x(x_LD);
  std::vector<double> axis(dim);
  double longest = 0;  // starts with the longest row, hardly ever orthogonal to the direction
  for (size_t start = 0; start < x.size(); start += dim) {
    const auto row = x.subspan(start, dim);
    if (length(row) <= longest) continue;
    longest = length(row);
    axis.assign(row.begin(), row.end());
  }
  if (longest < 1e-12) return std::vector<double>(dim);
  constexpr int kMostIterations = 1000;
  constexpr double kStill = 1e-6;  // change of the unit vector in one iteration
  double step = 1;
  for (int iteration = 0; iteration < kMostIterations && step > kStill; ++iteration) {
    std::vector<double> next(dim);
    for (size_t start = 0; start < x.size(); start += dim) {
      const auto row = x.subspan(start, dim);
      const double along = dot(row, axis);
      for (size_t d = 0; d < dim; ++d) next[d] += along * row[d];
    }
    const double size = length(next);
    step = 0;
    for (size_t d = 0; d < dim; ++d) {
      step += std::pow(next[d] / size - axis[d], 2);
      axis[d] = next[d] / size;
    }
    step = std::sqrt(step);
  }
  const auto largest = std::max_element(
      axis.begin(), axis.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  if (*largest < 0) {
    for (double& value : axis) value = -value;
  }
  return axis;
}

std::vector<double> centred(std::span<const float> values_LD, const std::vector<float>& mean_D) {
  std::vector<double> x(values_LD.begin(), values_LD.end());
  for (size_t i = 0; i < x.size(); ++i) x[i] -= mean_D[i % mean_D.size()];
  return x;
}

}  // namespace

Components principal_components(std::span<const float> values_LD, int64_t patches) {
  require(
      patches >= 1 && !values_LD.empty() && values_LD.size() % static_cast<size_t>(patches) == 0,
      "{} features do not divide into {} patches", values_LD.size(), patches);
  const size_t dim = values_LD.size() / static_cast<size_t>(patches);
  Components components;
  components.mean_D.resize(dim);
  for (size_t i = 0; i < values_LD.size(); ++i) {
    components.mean_D[i % dim] += values_LD[i] / static_cast<float>(patches);
  }
  std::vector<double> x = centred(values_LD, components.mean_D);
  for (size_t component = 0; component < 3; ++component) {
    const std::vector<double> axis = first_principal_direction(x, dim);
    float low = 0, high = 0;
    for (size_t start = 0; start < x.size(); start += dim) {
      const std::span<double> row(x.data() + start, dim);
      const double along = dot(row, axis);
      low = std::min(low, static_cast<float>(along));
      high = std::max(high, static_cast<float>(along));
      for (size_t d = 0; d < dim; ++d) row[d] -= along * axis[d];
    }
    components.axes_D[component].assign(axis.begin(), axis.end());
    components.low[component] = low;
    components.high[component] = high;
  }
  return components;
}

void set_quantile_range(Components& components, std::span<const float> values_LD, double share) {
  const size_t dim = components.mean_D.size();
  require(
      !values_LD.empty() && values_LD.size() % dim == 0 && share >= 0 && share < 0.5,
      "expected whole features and a share from 0 to 1/2, got {} values of width {} and a share of {}",
      values_LD.size(), dim, share);
  const std::vector<double> x = centred(values_LD, components.mean_D);
  std::vector<double> along(x.size() / dim);
  const auto at = [&](double place) {
    const auto index = std::llround(place * static_cast<double>(along.size() - 1));
    std::nth_element(along.begin(), along.begin() + index, along.end());
    return static_cast<float>(along[static_cast<size_t>(index)]);
  };
  for (size_t component = 0; component < 3; ++component) {
    const std::vector<float>& axis_D = components.axes_D[component];
    const std::vector<double> axis(axis_D.begin(), axis_D.end());
    for (size_t patch = 0; patch < along.size(); ++patch) {
      along[patch] = dot(std::span(x).subspan(patch * dim, dim), axis);
    }
    components.low[component] = at(share);
    components.high[component] = at(1 - share);
  }
}

image::Image components_image(const Components& components, std::span<const float> values_LD,
                              std::span<const uint8_t> shown_L, int64_t rows, int64_t cols,
                              int64_t side) {
  const size_t dim = components.mean_D.size();
  const auto patches = static_cast<size_t>(rows * cols);
  require(values_LD.size() == patches * dim && (shown_L.empty() || shown_L.size() == patches),
          "expected features of all patches, got {} values for {} x {} patches and a mask of {}",
          values_LD.size(), rows, cols, shown_L.size());
  const std::vector<double> x = centred(values_LD, components.mean_D);
  image::Image image{rows * side, cols * side, 3, {}};
  image.pixels.assign(static_cast<size_t>(image.rows * image.cols * 3), kHiddenGrey);
  for (size_t patch = 0; patch < patches; ++patch) {
    if (!shown_L.empty() && !shown_L[patch]) continue;
    for (size_t component = 0; component < 3; ++component) {
      double along = 0;
      for (size_t d = 0; d < dim; ++d) {
        along += x[patch * dim + d] * components.axes_D[component][d];
      }
      const float low = components.low[component], high = components.high[component];
      const double share = high > low ? (along - low) / (high - low) : 0.5;
      const auto byte = static_cast<uint8_t>(std::lround(255 * std::clamp(share, 0.0, 1.0)));
      const int64_t top = static_cast<int64_t>(patch) / cols * side;
      const int64_t left = static_cast<int64_t>(patch) % cols * side;
      for (int64_t row = top; row < top + side; ++row) {
        for (int64_t col = left; col < left + side; ++col) {
          image.pixels[static_cast<size_t>((row * image.cols + col) * 3) + component] = byte;
        }
      }
    }
  }
  return image;
}

}  // namespace fcm::viz
