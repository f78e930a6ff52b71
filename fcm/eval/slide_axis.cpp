#include "fcm/eval/slide_axis.h"

#include <algorithm>
#include <array>

#include "fcm/nn/upsample.h"

namespace fcm::eval {
namespace {

constexpr int64_t kLanes = 8;  // with inner loops of fixed length, compilers vectorise

}  // namespace

std::vector<BilinearTap> bilinear_taps(int64_t from, int64_t to) {
  std::vector<BilinearTap> taps;
  for (const nn::LinearTap& tap : nn::bilinear_taps(from, to)) {
    taps.push_back({tap.first, tap.second, static_cast<float>(tap.share)});
  }
  return taps;
}

void blend(const float* __restrict a, const float* __restrict b, float share, int64_t n,
           float* __restrict out) {
  const float rest = 1 - share;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      out[i + lane] = rest * a[i + lane] + share * b[i + lane];
    }
  }
  for (; i < n; ++i) out[i] = rest * a[i] + share * b[i];
}

void add_blend(const float* __restrict a, const float* __restrict b, float share, int64_t n,
               float* __restrict out) {
  const float rest = 1 - share;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      out[i + lane] += rest * a[i + lane] + share * b[i + lane];
    }
  }
  for (; i < n; ++i) out[i] += rest * a[i] + share * b[i];
}

void divide(float* values, float by, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) values[i + lane] /= by;
  }
  for (; i < n; ++i) values[i] /= by;
}

int64_t place_of_largest(const float* values, int64_t n) {
  // Finds the maximum first, which vectorises because it tracks no index, then its position.
  std::array<float, kLanes> lanes;
  lanes.fill(values[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      float& largest = lanes[static_cast<size_t>(lane)];
      largest = value > largest ? value : largest;
    }
  }
  float largest = *std::max_element(lanes.begin(), lanes.end());
  for (; i < n; ++i) largest = std::max(largest, values[i]);
  return std::find(values, values + n, largest) - values;
}

}  // namespace fcm::eval
