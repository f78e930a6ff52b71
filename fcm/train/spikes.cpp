#include "fcm/train/spikes.h"

#include <algorithm>
#include <cmath>

namespace fcm::train {
namespace {

constexpr size_t kWindow = 64, kLeast = 16;
constexpr double kStddevs = 10, kShare = 0.5;
constexpr double kMedianToStddev = 1.4826;  // for a normal distribution

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// How far above the median a loss may be without being a spike.
double allowance(const std::vector<double>& losses, double median) {
  std::vector<double> distances;
  distances.reserve(losses.size());
  for (const double loss : losses) distances.push_back(std::abs(loss - median));
  const double stddev = kMedianToStddev * median_of(std::move(distances));
  return std::max(kStddevs * stddev, kShare * std::abs(median));
}

}  // namespace

std::optional<Spike> add_loss(LossHistory& history, double loss) {
  std::optional<Spike> spike;
  if (history.losses.size() >= kLeast) {
    const double median = median_of(history.losses);
    if (loss > median + allowance(history.losses, median)) spike = Spike{loss, median};
  }
  history.losses.push_back(loss);
  if (history.losses.size() > kWindow) history.losses.erase(history.losses.begin());
  history.spikes += spike ? 1 : 0;
  history.spikes_in_a_row = spike ? history.spikes_in_a_row + 1 : 0;
  return spike;
}

void forget_spikes(LossHistory& history) {
  const auto count = std::min<int64_t>(history.spikes_in_a_row, std::ssize(history.losses));
  history.losses.resize(history.losses.size() - static_cast<size_t>(count));
  history.spikes_in_a_row = 0;
}

}  // namespace fcm::train
