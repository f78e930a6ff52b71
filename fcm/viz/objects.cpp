#include "fcm/viz/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/viz/canvas.h"
#include "fcm/viz/class_colours.h"
#include "fcm/viz/class_map.h"
#include "fcm/viz/font.h"
#include "fcm/viz/sheet.h"

namespace fcm::viz {
namespace {

constexpr int64_t kSheetPlace = 480;  // of a picture in a sheet: its longer side
constexpr int64_t kLeastSideAlone = 400;
constexpr int64_t kPixelsAText = 450;   // of the longer side, that are worth one factor of the text
constexpr int64_t kObjectColours = 32;  // after so many objects the first colours come again
constexpr double kTint = 0.45;          // of an object's colour in its mask

// Colours are of objects, not of classes: two persons side by side have to be told apart.
Colour colour_of(size_t object, const std::vector<Colour>& colours) {
  return colours[object % colours.size()];
}

Colour ink_on(Colour ground) {
  const double luminance = 0.2126 * ground[0] + 0.7152 * ground[1] + 0.0722 * ground[2];
  return luminance > 127 ? Colour{0, 0, 0} : Colour{255, 255, 255};
}

// One byte a pixel of the shown size: 1 where it belongs to the object.
image::Image shown_mask(const image::RunLengths& mask, const image::Image& picture,
                        const FittedSize& size) {
  require(mask.rows == picture.rows && mask.cols == picture.cols,
          "a mask of {} x {} on a picture of {} x {}", mask.rows, mask.cols, picture.rows,
          picture.cols);
  return fitted_map({mask.rows, mask.cols, 1, image::decode_mask(mask)}, size);
}

void tint(image::Image& out, const image::Image& mask, Colour colour, int64_t line) {
  const auto inside = [&](int64_t row, int64_t col) {
    if (row < 0 || col < 0 || row >= mask.rows || col >= mask.cols) return false;
    return mask.pixels[static_cast<size_t>(row * mask.cols + col)] != 0;
  };
  for (int64_t row = 0; row < mask.rows; ++row) {
    for (int64_t col = 0; col < mask.cols; ++col) {
      if (!inside(row, col)) continue;
      const bool edge = !inside(row - line, col) || !inside(row + line, col) ||
                        !inside(row, col - line) || !inside(row, col + line);
      const double share = edge ? 1 : kTint;
      uint8_t* pixel = out.pixels.data() + (row * out.cols + col) * 3;
      for (size_t channel = 0; channel < 3; ++channel) {
        pixel[channel] = static_cast<uint8_t>(
            std::lround((1 - share) * pixel[channel] + share * colour[channel]));
      }
    }
  }
}

// Of a box, in whole pixels of the shown picture; at least one each way.
image::Box shown_box(const ShownObject& object, const image::Image& picture,
                     const FittedSize& size) {
  const double by_rows = static_cast<double>(size.rows) / static_cast<double>(picture.rows);
  const double by_cols = static_cast<double>(size.cols) / static_cast<double>(picture.cols);
  const auto place = [](double at, int64_t extent) {
    return std::clamp<int64_t>(std::llround(at), 0, extent);
  };
  const int64_t left = place(object.box[0] * by_cols, size.cols - 1);
  const int64_t top = place(object.box[1] * by_rows, size.rows - 1);
  const int64_t right = place(object.box[2] * by_cols, size.cols);
  const int64_t bottom = place(object.box[3] * by_rows, size.rows);
  return {top, left, std::max<int64_t>(1, bottom - top), std::max<int64_t>(1, right - left)};
}

void outline(image::Image& out, const image::Box& box, int64_t line, Colour colour) {
  fill_box(out, {box.top, box.left, line, box.cols}, colour);
  fill_box(out, {box.top + box.rows - line, box.left, line, box.cols}, colour);
  fill_box(out, {box.top, box.left, box.rows, line}, colour);
  fill_box(out, {box.top, box.left + box.cols - line, box.rows, line}, colour);
}

std::string label_of(const ShownObject& object) {
  if (!object.score) return object.name;
  return fmt::format("{} {:.0f}%", object.name, 100 * *object.score);
}

int64_t overlap(const image::Box& a, const image::Box& b) {
  const int64_t rows = std::min(a.top + a.rows, b.top + b.rows) - std::max(a.top, b.top);
  const int64_t cols = std::min(a.left + a.cols, b.left + b.cols) - std::max(a.left, b.left);
  return rows > 0 && cols > 0 ? rows * cols : 0;
}

// Above the box, below it, inside at its top or bottom, and the same at its right end: where it
// covers least of the names before it, the first of these.
image::Box place_of_label(const image::Box& box, int64_t rows, int64_t cols,
                          const image::Image& picture, const std::vector<image::Box>& taken) {
  const int64_t right = box.left + box.cols - cols, bottom = box.top + box.rows;
  const std::array<std::pair<int64_t, int64_t>, 8> corners{{{box.top - rows, box.left},
                                                            {box.top, box.left},
                                                            {bottom, box.left},
                                                            {bottom - rows, box.left},
                                                            {box.top - rows, right},
                                                            {box.top, right},
                                                            {bottom, right},
                                                            {bottom - rows, right}}};
  image::Box best;
  int64_t least = -1;
  for (const auto& [top, left] : corners) {
    if (top < 0 || top + rows > picture.rows) continue;
    const image::Box place{
        top, std::clamp<int64_t>(left, 0, std::max<int64_t>(0, picture.cols - cols)), rows, cols};
    int64_t covered = 0;
    for (const image::Box& other : taken) covered += overlap(place, other);
    if (least >= 0 && covered >= least) continue;
    least = covered;
    best = place;
  }
  return least >= 0 ? best : image::Box{0, 0, rows, cols};
}

void write_labels(image::Image& out, const std::vector<ShownObject>& objects,
                  const std::vector<image::Box>& boxes, const std::vector<Colour>& colours,
                  int64_t text) {
  std::vector<image::Box> taken;
  for (size_t i = 0; i < objects.size(); ++i) {
    const std::string label = cut_text(label_of(objects[i]), out.cols - 2 * text, text);
    const int64_t cols = text_cols(label, text) + 2 * text;
    const int64_t rows = (kGlyphRows + kDescentRows + 1) * text;
    taken.push_back(place_of_label(boxes[i], rows, cols, out, taken));
  }
  // The first objects matter most, so their names are written last.
  for (size_t i = objects.size(); i-- > 0;) {
    const Colour colour = colour_of(i, colours);
    fill_box(out, taken[i], colour);
    draw_text(out, taken[i].top + text, taken[i].left + text,
              cut_text(label_of(objects[i]), out.cols - 2 * text, text), text, ink_on(colour));
  }
}

}  // namespace

image::Image draw_objects(const image::Image& picture, const std::vector<ShownObject>& objects,
                          const FittedSize& size) {
  image::Image out = fitted_picture(picture, size);
  const int64_t side = std::max(size.rows, size.cols);
  const int64_t text = std::max<int64_t>(1, (side + kPixelsAText / 2) / kPixelsAText);
  const std::vector<Colour> colours = class_colours(kObjectColours);
  std::vector<image::Box> boxes;
  for (const ShownObject& object : objects) boxes.push_back(shown_box(object, picture, size));
  for (size_t i = objects.size(); i-- > 0;) {
    if (objects[i].mask) {
      tint(out, shown_mask(*objects[i].mask, picture, size), colour_of(i, colours), text);
    }
  }
  for (size_t i = objects.size(); i-- > 0;) outline(out, boxes[i], text, colour_of(i, colours));
  write_labels(out, objects, boxes, colours, text);
  return out;
}

image::Image draw_objects(const image::Image& picture, const std::vector<ShownObject>& objects) {
  const int64_t factor = enlargement(picture, kLeastSideAlone);
  return draw_objects(picture, objects, {picture.rows * factor, picture.cols * factor});
}

image::Image object_sheet(const std::vector<ObjectRow>& rows, const std::string& title) {
  require(!rows.empty(), "a sheet of no pictures, wanted one or more");
  Sheet sheet{title, {{"labelled"}, {"found"}}, {}, {}, 1};
  for (const ObjectRow& row : rows) {
    const FittedSize size = fitted_size(row.picture.rows, row.picture.cols, kSheetPlace);
    sheet.rows.push_back({{draw_objects(row.picture, row.truths, size),
                           draw_objects(row.picture, row.found, size)}});
  }
  return make_sheet(sheet);
}

}  // namespace fcm::viz
