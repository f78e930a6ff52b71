// Tests windows of resized images that are computed from only the source pixels that they need.
#include "fcm/image/resize_window.h"
#include "tests/image/section_support.h"

namespace fcm::image {
namespace {

// A section of an image: the box with a random margin around it.
Section cut_section(const Image& image, const Box& box, KeyedRandom& random) {
  const auto margin = [&](int64_t most) {
    return static_cast<int64_t>(
        random.below(static_cast<uint64_t>(std::min<int64_t>(most, 5)) + 1));
  };
  const int64_t above = margin(box.top), before = margin(box.left);
  const int64_t below = margin(image.rows - box.top - box.rows);
  const int64_t behind = margin(image.cols - box.left - box.cols);
  const Box wider{box.top - above, box.left - before, box.rows + above + below,
                  box.cols + before + behind};
  return {{wider.rows, wider.cols, image.channels, test::cut_out(image, wider)},
          {above, before, box.rows, box.cols}};
}

TEST(ResizeSection, HasTheBytesOfTheWhole) {
  int64_t smaller = 0;
  for (uint64_t number = 0; number < 1500; ++number) {
    KeyedRandom random(9, Purpose::kSynthetic, 0, number);
    const auto draw = [&](uint64_t most) { return 1 + static_cast<int64_t>(random.below(most)); };
    const int64_t channels = number % 2 == 0 ? 3 : 1;
    const Image image = test::pattern(draw(90), draw(90), channels, static_cast<uint32_t>(number));
    Resizing resizing{image.rows, image.cols, draw(140), draw(140)};
    if (number % 5 == 1) resizing.to_rows = image.rows;
    if (number % 7 == 1) resizing.to_cols = image.cols;
    Box window{0, 0, draw(static_cast<uint64_t>(resizing.to_rows)),
               draw(static_cast<uint64_t>(resizing.to_cols))};
    window.top = draw(static_cast<uint64_t>(resizing.to_rows - window.rows + 1)) - 1;
    window.left = draw(static_cast<uint64_t>(resizing.to_cols - window.cols + 1)) - 1;
    const auto filter = number % 3 == 0 ? Interpolation::kBicubic : Interpolation::kBilinear;
    const Box source = window_source(resizing, window, filter);
    smaller += source.rows < image.rows || source.cols < image.cols ? 1 : 0;
    std::vector<uint8_t> whole(static_cast<size_t>(window.rows * window.cols * channels));
    std::vector<uint8_t> part(whole.size());
    resize_window(image, resizing.to_rows, resizing.to_cols, window, filter, whole.data());
    resize_window(resizing, cut_section(image, source, random), window, filter, part.data());
    ASSERT_TRUE(part == whole) << number;
  }
  EXPECT_GT(smaller, 1000);
}

TEST(ResizeSection, AnotherBoxIsABrokenPromise) {
  const Image image = test::pattern(20, 20, 3);
  const Resizing resizing{20, 20, 40, 40};
  const Box window{10, 10, 8, 8};
  std::vector<uint8_t> out(8 * 8 * 3);
  Box source = window_source(resizing, window, Interpolation::kBilinear);
  source.rows -= 1;
  EXPECT_THROW(
      resize_window(resizing, Section{image, source}, window, Interpolation::kBilinear, out.data()),
      std::logic_error);
  EXPECT_THROW(window_source(resizing, {33, 0, 8, 8}, Interpolation::kBilinear), std::logic_error);
}

}  // namespace
}  // namespace fcm::image
