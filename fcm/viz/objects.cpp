#include "fcm/viz/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "fcm/base/error.h"
#include "fcm/viz/canvas.h"
#include "fcm/viz/class_colours.h"
#include "fcm/viz/class_map.h"
#include "fcm/viz/font.h"
#include "fcm/viz/label_positions.h"
#include "fcm/viz/sheet.h"

namespace fcm::viz {
namespace {

constexpr int64_t kSheetPlace = 480;  // longer side of an image in a sheet
constexpr int64_t kLeastSideAlone = 400;
constexpr int64_t kSideOfLine = 450;    // pixels of the longer side per pixel of line width
constexpr int64_t kShareOfLabels = 5;   // labels cover at most one fifth of the image, if possible
constexpr int64_t kObjectColours = 32;  // then colours repeat
constexpr double kTint = 0.45;          // opacity of an object's colour in its mask

// Objects, not classes, have colours, so that two persons side by side are distinguishable.
Colour colour_of(size_t object, const std::vector<Colour>& colours) {
  return colours[object % colours.size()];
}

// One byte per pixel of the displayed size: 1 inside the object.
image::Image shown_mask(const image::RunLengths& mask, const image::Image& image,
                        const FittedSize& size) {
  require(mask.rows == image.rows && mask.cols == image.cols,
          "got a mask of {} x {}, expected the image's size of {} x {}", mask.rows, mask.cols,
          image.rows, image.cols);
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

// The box in integer pixels of the displayed image; at least one pixel each way.
image::Box shown_box(const ShownObject& object, const image::Image& image, const FittedSize& size) {
  const double by_rows = static_cast<double>(size.rows) / static_cast<double>(image.rows);
  const double by_cols = static_cast<double>(size.cols) / static_cast<double>(image.cols);
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

// Labels as drawn. Each is on a plate: a filled rectangle of its object's colour.
struct Labels {
  TextSize text = TextSize::kSmall;
  std::vector<std::string> lines;
  std::vector<FittedSize> plates;
  int64_t pixels = 0;  // of all plates
};

Labels labels_of(const std::vector<ShownObject>& objects, const image::Image& image,
                 TextSize text) {
  Labels labels{text, {}, {}, 0};
  const int64_t edge = text_unit(text);
  for (const ShownObject& object : objects) {
    labels.lines.push_back(cut_text(label_of(object), image.cols - 2 * edge, text));
    labels.plates.push_back({line_rows(text), text_cols(labels.lines.back(), text) + 2 * edge});
    labels.pixels += labels.plates.back().rows * labels.plates.back().cols;
  }
  return labels;
}

// With many objects the text size decreases, so that labels fit and leave the image visible.
Labels fitting_labels(const std::vector<ShownObject>& objects, const image::Image& image) {
  TextSize text = text_size_for(std::max(image.rows, image.cols));
  Labels labels = labels_of(objects, image, text);
  while (text > TextSize::kSmall && labels.pixels * kShareOfLabels > image.rows * image.cols) {
    text = static_cast<TextSize>(static_cast<int>(text) - 1);
    labels = labels_of(objects, image, text);
  }
  return labels;
}

// Draws a line from a label's centre to the nearest point of its box. The label covers the line
// unless it is apart from the box.
void draw_leader(image::Image& out, const image::Box& label, const image::Box& box, int64_t line,
                 Colour colour) {
  const int64_t from_row = label.top + label.rows / 2, from_col = label.left + label.cols / 2;
  const int64_t to_row = std::clamp(from_row, box.top, box.top + box.rows - 1);
  const int64_t to_col = std::clamp(from_col, box.left, box.left + box.cols - 1);
  const int64_t steps = std::max(std::abs(to_row - from_row), std::abs(to_col - from_col));
  for (int64_t i = 0; i <= steps; ++i) {
    const int64_t along = std::max<int64_t>(steps, 1);
    fill_box(out,
             {from_row + (to_row - from_row) * i / along,
              from_col + (to_col - from_col) * i / along, line, line},
             colour);
  }
}

// The first objects are the most important: their names are placed first and drawn last.
void write_labels(image::Image& out, const std::vector<ShownObject>& objects,
                  const std::vector<image::Box>& boxes, const std::vector<Colour>& colours,
                  int64_t line) {
  const Labels labels = fitting_labels(objects, out);
  const std::vector<image::Box> places = place_labels(boxes, labels.plates, {out.rows, out.cols});
  for (size_t i = objects.size(); i-- > 0;) {
    draw_leader(out, places[i], boxes[i], line, colour_of(i, colours));
  }
  for (size_t i = objects.size(); i-- > 0;) {
    const Colour colour = colour_of(i, colours);
    fill_box(out, places[i], colour);
    draw_text(out, places[i].top, places[i].left + text_unit(labels.text), labels.lines[i],
              labels.text, ink_on(colour));
  }
}

}  // namespace

image::Image draw_objects(const image::Image& image, const std::vector<ShownObject>& objects,
                          const FittedSize& size) {
  image::Image out = fitted_image(image, size);
  const int64_t side = std::max(size.rows, size.cols);
  const int64_t line = std::max<int64_t>(1, (side + kSideOfLine / 2) / kSideOfLine);
  const std::vector<Colour> colours = class_colours(kObjectColours);
  std::vector<image::Box> boxes;
  for (const ShownObject& object : objects) boxes.push_back(shown_box(object, image, size));
  for (size_t i = objects.size(); i-- > 0;) {
    if (objects[i].mask) {
      tint(out, shown_mask(*objects[i].mask, image, size), colour_of(i, colours), line);
    }
  }
  for (size_t i = objects.size(); i-- > 0;) outline(out, boxes[i], line, colour_of(i, colours));
  write_labels(out, objects, boxes, colours, line);
  return out;
}

image::Image draw_objects(const image::Image& image, const std::vector<ShownObject>& objects) {
  const int64_t factor = enlargement(image, kLeastSideAlone);
  return draw_objects(image, objects, {image.rows * factor, image.cols * factor});
}

image::Image object_sheet(const std::vector<ObjectRow>& rows, const std::string& title) {
  require(!rows.empty(), "expected at least one row for a sheet");
  Sheet sheet{title, {{"labelled"}, {"found"}}, {}, {}, 1};
  for (const ObjectRow& row : rows) {
    const FittedSize size = fitted_size(row.image.rows, row.image.cols, kSheetPlace);
    sheet.rows.push_back(
        {{draw_objects(row.image, row.truths, size), draw_objects(row.image, row.found, size)}});
  }
  return make_sheet(sheet);
}

}  // namespace fcm::viz
