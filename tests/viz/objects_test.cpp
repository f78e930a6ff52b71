#include "fcm/viz/objects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "fcm/viz/class_colours.h"
#include "fcm/viz/font.h"
#include "fcm/viz/label_positions.h"
#include "tests/viz/pixels.h"

namespace fcm::viz {
namespace {

image::Image grey_image(int64_t rows, int64_t cols) {
  return {rows, cols, 3, std::vector<uint8_t>(static_cast<size_t>(rows * cols * 3), 100)};
}

ShownObject object_at(double x0, double y0, double x1, double y1) {
  return {{x0, y0, x1, y1}, std::nullopt, "person", 0.876};
}

image::RunLengths mask_of(int64_t rows, int64_t cols, const image::Box& box) {
  std::vector<uint8_t> pixels(static_cast<size_t>(rows * cols));
  for (int64_t row = box.top; row < box.top + box.rows; ++row) {
    for (int64_t col = box.left; col < box.left + box.cols; ++col) {
      pixels[static_cast<size_t>(row * cols + col)] = 1;
    }
  }
  return image::encode_mask(pixels, rows, cols);
}

TEST(DrawObjects, DrawsABoxWhereItIs) {
  const image::Image out = draw_objects(grey_image(600, 800), {object_at(200, 300, 500, 550)});
  ASSERT_EQ(out.rows, 600);
  ASSERT_EQ(out.cols, 800);
  const Colour colour = class_colours(1)[0];
  EXPECT_EQ(test::pixel(out, 300, 350), colour);
  EXPECT_EQ(test::pixel(out, 549, 350), colour);
  EXPECT_EQ(test::pixel(out, 420, 200), colour);
  EXPECT_EQ(test::pixel(out, 420, 499), colour);
  EXPECT_EQ(test::pixel(out, 420, 350), (Colour{100, 100, 100}));
  EXPECT_EQ(test::pixel(out, 420, 501), (Colour{100, 100, 100}));
}

TEST(DrawObjects, EnlargesSmallImagesByWholeFactors) {
  const image::Image out = draw_objects(grey_image(60, 80), {object_at(20, 30, 50, 55)});
  EXPECT_EQ(out.rows, 300);
  EXPECT_EQ(out.cols, 400);
  EXPECT_EQ(test::pixel(out, 150, 200), class_colours(1)[0]);
}

TEST(DrawObjects, TintsMasksAndNothingElse) {
  ShownObject object = object_at(100, 100, 300, 200);
  object.mask = mask_of(600, 800, {400, 500, 50, 60});
  const image::Image out = draw_objects(grey_image(600, 800), {object});
  const Colour inside = test::pixel(out, 425, 530), colour = class_colours(1)[0];
  for (size_t channel = 0; channel < 3; ++channel) {
    EXPECT_NEAR(inside[channel], 0.55 * 100 + 0.45 * colour[channel], 0.51);
  }
  EXPECT_EQ(test::pixel(out, 400, 530), colour);  // the box's edge
  EXPECT_EQ(test::pixel(out, 399, 530), (Colour{100, 100, 100}));
  object.mask = mask_of(60, 80, {40, 50, 5, 6});
  EXPECT_THROW(draw_objects(grey_image(600, 800), {object}), std::logic_error);
}

TEST(DrawObjects, NamesDoNotCoverEachOtherWhereThereIsRoom) {
  const ShownObject object = object_at(200, 300, 500, 550);
  const image::Image one = draw_objects(grey_image(600, 800), {object});
  const image::Image two = draw_objects(grey_image(600, 800), {object, object});
  const std::vector<Colour> colours = class_colours(2);
  // The second name is drawn elsewhere and complete: its plate alone has more than 300 pixels.
  EXPECT_GT(test::count(two, colours[1]), 300);
  // The first box and name are complete except where the second name's plate covers them.
  EXPECT_GT(test::count(two, colours[0]), test::count(one, colours[0]) - 300);
}

// The plate behind a name has the object's colour, and no letter is drawn outside its plate.
TEST(DrawObjects, NamesStayOnTheirPlates) {
  ShownObject object = object_at(200, 300, 500, 550);
  constexpr TextSize kSize = TextSize::kMedium;
  ASSERT_EQ(text_size_for(800), kSize);
  for (const std::string& name : {std::string("person"), std::string("j\u00c5\u1ea4g \u0416"),
                                  std::string("\xff"), std::string(300, 'W')}) {
    object.name = name;
    object.score.reset();
    const image::Image out = draw_objects(grey_image(600, 800), {object});
    const int64_t edge = text_unit(kSize);
    const std::string shown = cut_text(name, 800 - 2 * edge, kSize);
    const image::Box box{300, 200, 250, 300};
    const image::Box plate = place_labels(
        {box}, {{line_rows(kSize), text_cols(shown, kSize) + 2 * edge}}, {600, 800})[0];
    const auto is_in = [](const image::Box& outer, int64_t row, int64_t col, int64_t margin) {
      return row >= outer.top + margin && row < outer.top + outer.rows - margin &&
             col >= outer.left + margin && col < outer.left + outer.cols - margin;
    };
    const Colour colour = class_colours(1)[0];
    int64_t letters = 0;
    for (int64_t row = 0; row < out.rows; ++row) {
      for (int64_t col = 0; col < out.cols; ++col) {
        const Colour found = test::pixel(out, row, col);
        if (is_in(plate, row, col, 0)) {
          const bool at_the_side = col < plate.left + edge || col >= plate.left + plate.cols - edge;
          if (at_the_side) {
            ASSERT_EQ(found, colour) << name << " " << row << " " << col;
          }
          letters += found != colour;
        } else if (!is_in(box, row, col, 0) || is_in(box, row, col, 2)) {
          ASSERT_EQ(found, (Colour{100, 100, 100})) << name << " " << row << " " << col;
        }
      }
    }
    EXPECT_GT(letters, 20) << name;
  }
}

TEST(DrawObjects, ALabelThatStandsApartHasALineToItsBox) {
  // 30 objects at one position, so that names have to move away from their box.
  const image::Box box{280, 380, 40, 40};
  const std::vector<ShownObject> many(30, object_at(380, 280, 420, 320));
  const image::Image out = draw_objects(grey_image(600, 800), many);
  constexpr TextSize kSize = TextSize::kMedium;
  const FittedSize plate{line_rows(kSize), text_cols("person 88%", kSize) + 2 * text_unit(kSize)};
  const std::vector<image::Box> places =
      place_labels(std::vector(30, box), std::vector(30, plate), {600, 800});
  const auto is_in = [](const image::Box& one, int64_t row, int64_t col) {
    return row >= one.top && row < one.top + one.rows && col >= one.left &&
           col < one.left + one.cols;
  };
  int64_t between = 0;  // checked points between boxes and plates
  for (const image::Box& place : places) {
    const int64_t row = place.top + place.rows / 2, col = place.left + place.cols / 2;
    const int64_t to_row = std::clamp<int64_t>(row, box.top, box.top + box.rows - 1);
    const int64_t to_col = std::clamp<int64_t>(col, box.left, box.left + box.cols - 1);
    constexpr int64_t kSteps = 1000;
    for (int64_t i = 0; i < kSteps; ++i) {
      const int64_t r = row + (to_row - row) * i / kSteps, c = col + (to_col - col) * i / kSteps;
      if (is_in(box, r, c) ||
          std::ranges::any_of(places, [&](const image::Box& one) { return is_in(one, r, c); })) {
        continue;
      }
      ++between;
      const bool bare = test::pixel(out, r, c) == Colour{100, 100, 100} &&
                        test::pixel(out, r, c + 1) == Colour{100, 100, 100} &&
                        test::pixel(out, r + 1, c) == Colour{100, 100, 100};
      EXPECT_FALSE(bare) << r << " " << c;
    }
  }
  EXPECT_GT(between, 50);
}

TEST(DrawObjects, TakesBoxesThatLeaveTheImageOrAreEmpty) {
  const image::Image image = grey_image(30, 40);
  for (const ShownObject& object :
       {object_at(-50, -50, 500, 500), object_at(10, 10, 10, 10), object_at(39.9, 29.9, 80, 80)}) {
    const image::Image out = draw_objects(image, {object});
    EXPECT_GT(test::count(out, class_colours(1)[0]), 0);
  }
  EXPECT_EQ(draw_objects(image, {}).rows, 300);
}

TEST(ObjectSheet, ShowsTruthsBesideWhatWasFound) {
  ObjectRow row{grey_image(300, 480), {}, {object_at(100, 100, 200, 200)}};
  const Colour colour = class_colours(1)[0];
  const image::Image found = object_sheet({row}, "a title");
  std::swap(row.truths, row.found);
  row.truths[0].score.reset();
  const image::Image truth = object_sheet({row}, "a title");
  const auto first = [&](const image::Image& out) {
    for (int64_t col = 0; col < out.cols; ++col) {
      for (int64_t at = 0; at < out.rows; ++at) {
        if (test::pixel(out, at, col) == colour) return col;
      }
    }
    return int64_t{-1};
  };
  ASSERT_GT(first(truth), 0);
  EXPECT_GT(first(found), first(truth) + 400);
  EXPECT_THROW(object_sheet({}, ""), std::logic_error);
}

}  // namespace
}  // namespace fcm::viz
