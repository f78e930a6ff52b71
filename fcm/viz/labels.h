// Draws a classifier's predictions below an image.
#pragma once

#include <string>
#include <vector>

#include "fcm/image/image.h"

namespace fcm::viz {

struct ShownLabel {
  std::string name;
  double score = 0;  // 0 to 1
};

// The image, enlarged if small, and below it one line per label: its name, a bar as long as the
// score, and the score in percent.
image::Image labels_under_image(const image::Image& image, const std::vector<ShownLabel>& labels);

}  // namespace fcm::viz
