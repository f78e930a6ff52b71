// Images, what is labelled in them and what a network makes of them, side by side.
#pragma once

#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz {

// Maps are grey, of the image's size, as class_map.h has them.
struct SegmentationRow {
  image::Image picture;
  image::Image truth;  // without pixels: not known
  image::Image predicted;
};

// One row for each image, fitted into places of one size, under the titles of the columns, and a
// legend of the classes that occur. No column of truths where no row has one. `rows` must not be
// empty; `colours` may be (class_colours).
image::Image segmentation_sheet(const std::vector<SegmentationRow>& rows,
                                const std::vector<std::string>& names,
                                const std::vector<Colour>& colours, const std::string& title = {});

}  // namespace fcm::viz
