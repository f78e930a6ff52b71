// Objects that were found in an image, or are labelled in it: boxes, masks, names and scores.
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
  std::optional<double> score;            // 0 to 1; a labelled object has none
};

// The image at a size, as RGB, and on it the objects: masks tinted and outlined, boxes, and at
// each box its name, with the score in percent. Every object has a colour of its own. Earlier
// objects lie over later ones; names do not cover each other where there is room (label_places.h),
// and one that stands apart from its box has a line to it. Throws std::logic_error for a mask of
// another size than the image.
image::Image draw_objects(const image::Image& picture, const std::vector<ShownObject>& objects,
                          const FittedSize& size);

// The same at the size of the image itself, small images enlarged.
image::Image draw_objects(const image::Image& picture, const std::vector<ShownObject>& objects);

// A row of a sheet: what is labelled in an image and what was found.
struct ObjectRow {
  image::Image picture;
  std::vector<ShownObject> truths, found;
};

// Labelled objects beside those that were found, an image a row.
image::Image object_sheet(const std::vector<ObjectRow>& rows, const std::string& title);

}  // namespace fcm::viz
