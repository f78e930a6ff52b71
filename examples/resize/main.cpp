// resize IN OUT.png: resizes an image to 224 x 224, bicubic with antialiasing, bit-identical to
// Pillow.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/image/image.h"

int main(int argc, char** argv) try {
  namespace image = fcm::image;
  if (argc != 3) fcm::fail(fcm::ExitCode::kUsage, "usage: resize IN OUT.png");
  const std::string file = fcm::read_file(argv[1], fcm::ExitCode::kData);
  const image::Image original =
      image::decode({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, 3);
  image::Image resized{224, 224, 3, std::vector<uint8_t>(224 * 224 * 3)};
  image::crop_resize(original, {0, 0, original.rows, original.cols}, resized.rows, resized.cols,
                     image::Interpolation::kBicubic, false, resized.pixels.data());
  image::write_png(argv[2], resized);
  fmt::print("{} x {} to {} x {}\n", original.rows, original.cols, resized.rows, resized.cols);
  return 0;
} catch (const fcm::Error& error) {
  fmt::print(stderr, "resize: {}\n", error.what());
  return static_cast<int>(error.code());
}
