// Where a line of a run's log stands on three axes. Not for use outside viz.
#pragma once

#include <vector>

#include "fcm/viz/run_log.h"

namespace fcm::viz::report {

// As many as there are step lines, or epoch lines; NaN where it is not known.
struct Places {
  std::vector<double> steps, images, hours;
};

// Of the step lines. Hours: "train_seconds" where a line has it, else images since the line
// before by "images_per_second".
Places places_of_steps(const RunLog& log, double batch_size);

// Of the epoch lines, which tell their step; hours between two step lines go by the step.
Places places_of_epochs(const RunLog& log, const Places& of_steps, double batch_size);

}  // namespace fcm::viz::report
