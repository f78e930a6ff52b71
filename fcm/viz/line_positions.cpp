#include "fcm/viz/line_positions.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fcm::viz::report {

namespace {

constexpr double kHour = 3600;

std::vector<double> hours_of(const RunLog& log, const std::vector<double>& images) {
  const std::vector<double> train_seconds = log.step_column("train_seconds"),
                            speeds = log.step_column("images_per_second");
  std::vector<double> hours;
  double seconds = 0, before = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    if (std::isfinite(train_seconds[i])) {
      seconds = train_seconds[i];
    } else if (speeds[i] > 0) {
      seconds += (images[i] - before) / speeds[i];
    } else {
      seconds = std::numeric_limits<double>::quiet_NaN();
    }
    before = images[i];
    hours.push_back(seconds / kHour);
  }
  return hours;
}

// The value at x = `place` of the line through (0, 0) and the points (x, y); beyond the last point
// its y.
double value_at(const std::vector<double>& x, const std::vector<double>& y, double place) {
  if (x.empty() || !std::isfinite(place)) return std::numeric_limits<double>::quiet_NaN();
  const auto next = static_cast<size_t>(std::lower_bound(x.begin(), x.end(), place) - x.begin());
  if (next == x.size()) return y.back();
  const double x0 = next == 0 ? 0 : x[next - 1], y0 = next == 0 ? 0 : y[next - 1];
  if (x[next] <= x0) return y[next];
  return y0 + (place - x0) / (x[next] - x0) * (y[next] - y0);
}

}  // namespace

LinePositions positions_of_steps(const RunLog& log, double batch_size) {
  LinePositions positions;
  positions.steps = log.step_column("step");
  positions.images = times(positions.steps, batch_size);
  positions.hours = hours_of(log, positions.images);
  return positions;
}

LinePositions positions_of_epochs(const RunLog& log, const LinePositions& of_steps,
                                  double batch_size) {
  LinePositions positions;
  positions.steps = log.epoch_column("step");
  positions.images = times(positions.steps, batch_size);
  for (const double step : positions.steps) {
    positions.hours.push_back(value_at(of_steps.steps, of_steps.hours, step));
  }
  return positions;
}

}  // namespace fcm::viz::report
