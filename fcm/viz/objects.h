// Draws objects in an image, detected or labelled: boxes, masks, names and scores.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/image/run_lengths.h"
#include "fcm/viz/fitted.h"

namespace fcm::viz {

struct ShownObject {
  std::array<double, 4> box{};            // x0, y0, x1, y1 in pixels of the image
  std::optional<image::RunLengths> mask;  // of the image's size
  std::string name;                       // of its class
  std::optional<double> score;            // 0 to 1; none for a labelled object
};

// The image resized to `size`, as RGB, with the objects: masks tinted and outlined, boxes, and at
// each box its name with the score in percent. The first 32 objects differ in colour; then colours
// repeat. Earlier objects are drawn over later ones. Names do not overlap if there is room
// (label_positions.h); a line connects a name that is apart from its box to the box. Throws
// std::logic_error for a mask of another size than the image.
image::Image draw_objects(const image::Image& image, const std::vector<ShownObject>& objects,
                          const FittedSize& size);

// The same at the size of the image; small images are enlarged.
image::Image draw_objects(const image::Image& image, const std::vector<ShownObject>& objects);

// A row of a sheet: the labelled and the detected objects of an image.
struct ObjectRow {
  image::Image image;
  std::vector<ShownObject> truths, found;
};

// Labelled objects beside detected ones, one image per row.
image::Image object_sheet(const std::vector<ObjectRow>& rows, const std::string& title);

}  // namespace fcm::viz
