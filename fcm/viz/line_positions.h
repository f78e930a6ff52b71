// The positions of log lines on three axes: steps, images and hours. Private to viz.
#pragma once

#include <vector>

#include "fcm/viz/run_log.h"

namespace fcm::viz::report {

// One entry per line; NaN: unknown.
struct LinePositions {
  std::vector<double> steps, images, hours;
};

// Positions of the step lines. Hours are "train_seconds" of the line; if it has none, the images
// since the previous line divided by "images_per_second" are added to the previous hours.
LinePositions positions_of_steps(const RunLog& log, double batch_size);

// Positions of the epoch lines, from their steps; hours are interpolated between step lines.
LinePositions positions_of_epochs(const RunLog& log, const LinePositions& of_steps,
                                  double batch_size);

}  // namespace fcm::viz::report
