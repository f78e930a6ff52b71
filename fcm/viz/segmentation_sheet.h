// Draws images, their ground truth and their predictions side by side.
#pragma once

#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz {

// Maps are grey, of the image's size, as in class_map.h.
struct SegmentationRow {
  image::Image image;
  image::Image truth;  // without pixels: unknown
  image::Image predicted;
};

// One row per image, its longer side resized to about 384 pixels, below the captions of the
// columns, and a legend of the classes that occur. If no row has a truth, there is no column for
// it. `rows` must not be empty; `colours` may be empty (class_colours).
image::Image segmentation_sheet(const std::vector<SegmentationRow>& rows,
                                const std::vector<std::string>& names,
                                const std::vector<Colour>& colours, const std::string& title = {});

}  // namespace fcm::viz
