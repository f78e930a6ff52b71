#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "fcm/image/axis_weights.h"
#include "fcm/image/image.h"
#include "fcm/image/resize_kernels.h"
#include "fcm/image/resize_window.h"
#include "tests/image/sha256.h"
#include "tests/image/support.h"

namespace fcm::image {
namespace {

const std::filesystem::path kFolder = test::fixtures_folder() / "transforms";

struct RawTensor {
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;
};

std::map<std::string, RawTensor> read_tensors(const std::filesystem::path& path) {
  const auto file = test::bytes_of(path);
  uint64_t header = 0;
  std::memcpy(&header, file.data(), sizeof header);
  std::map<std::string, RawTensor> tensors;
  const auto first = file.begin() + 8;
  const auto data = first + static_cast<ptrdiff_t>(header);
  const auto entries = nlohmann::json::parse(first, data);
  for (const auto& [name, entry] : entries.items()) {
    if (name == "__metadata__") continue;
    const auto offsets = entry.at("data_offsets").get<std::vector<int64_t>>();
    tensors[name] = {entry.at("shape").get<std::vector<int64_t>>(),
                     {data + offsets.at(0), data + offsets.at(1)}};
  }
  return tensors;
}

std::vector<uint8_t> resized(const Image& source, Box box, int64_t rows, int64_t cols,
                             Interpolation interpolation, bool mirror = false) {
  std::vector<uint8_t> out(static_cast<size_t>(rows * cols * source.channels));
  crop_resize(source, box, rows, cols, interpolation, mirror, out.data());
  return out;
}

Box whole(const Image& image) { return {0, 0, image.rows, image.cols}; }

struct Golden {
  std::string photo;  // the image file from which the golden tensors were computed
  std::map<std::string, RawTensor> tensors;
};

std::vector<Golden> goldens() {
  std::vector<Golden> all;
  for (const char* name :
       {"astronaut.png", "chelsea.png", "china.jpg", "coffee.png", "flower.jpg", "rocket.jpg"}) {
    all.push_back({name, read_tensors(kFolder / (std::string(name) + ".golden.safetensors"))});
  }
  return all;
}

TEST(CropResize, EqualsPillowOnEveryGolden) {
  FCM_NEED_FOLDER(kFolder);
  int compared = 0;
  for (const Golden& golden : goldens()) {
    const Image photo = decode(test::bytes_of(kFolder / "photos" / golden.photo), 3);
    std::vector<int64_t> boxes(48);
    std::memcpy(boxes.data(), golden.tensors.at("boxes").bytes.data(), 48 * sizeof(int64_t));
    for (const auto& [name, tensor] : golden.tensors) {
      if (name.rfind("box", 0) != 0 || name == "boxes") continue;
      const size_t at = 4 * std::stoul(name.substr(3, 2));
      const Box box{boxes[at + 1], boxes[at], boxes[at + 3], boxes[at + 2]};
      const auto filter = name.find("bicubic") != std::string::npos ? Interpolation::kBicubic
                                                                    : Interpolation::kBilinear;
      const int64_t size = tensor.shape.at(0);
      EXPECT_TRUE(resized(photo, box, size, size, filter) == tensor.bytes)
          << golden.photo << " " << name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 6 * 24);
}

TEST(CropResize, TheGoldensTellFiltersAndBoxesApart) {
  FCM_NEED_FOLDER(kFolder);
  const auto tensors = read_tensors(kFolder / "china.jpg.golden.safetensors");
  const Image photo = decode(test::bytes_of(kFolder / "photos/china.jpg"), 3);
  std::vector<int64_t> box(4);
  std::memcpy(box.data(), tensors.at("boxes").bytes.data(), 4 * sizeof(int64_t));
  const auto& golden = tensors.at("box00.bicubic.224").bytes;
  const Box right{box[1], box[0], box[3], box[2]};
  Box narrower = right;
  narrower.cols -= 1;
  EXPECT_TRUE(resized(photo, right, 224, 224, Interpolation::kBicubic) == golden);
  EXPECT_FALSE(resized(photo, right, 224, 224, Interpolation::kBilinear) == golden);
  EXPECT_FALSE(resized(photo, narrower, 224, 224, Interpolation::kBicubic) == golden);
  EXPECT_FALSE(resized(photo, right, 224, 224, Interpolation::kBicubic, true) == golden);
}

TEST(CropResize, ResizedThenCentrallyCroppedAsInEvaluation) {
  FCM_NEED_FOLDER(kFolder);
  for (const Golden& golden : goldens()) {
    const Image photo = decode(test::bytes_of(kFolder / "photos" / golden.photo), 3);
    const int64_t shorter = std::min(photo.rows, photo.cols);
    Image larger{256 * photo.rows / shorter, 256 * photo.cols / shorter, 3, {}};
    larger.pixels = resized(photo, whole(photo), larger.rows, larger.cols, Interpolation::kBicubic);
    const auto half = [](int64_t rest) { return std::lrint(static_cast<double>(rest) / 2); };
    const Box middle{half(larger.rows - 224), half(larger.cols - 224), 224, 224};
    const auto whole_then_cut = resized(larger, middle, 224, 224, Interpolation::kBicubic);
    std::vector<uint8_t> window(whole_then_cut.size());
    resize_window(photo, larger.rows, larger.cols, middle, Interpolation::kBicubic, window.data());
    EXPECT_TRUE(window == whole_then_cut) << golden.photo;
    EXPECT_TRUE(window == golden.tensors.at("eval256_224.bicubic").bytes) << golden.photo;
  }
}

std::vector<uint8_t> mirrored(const std::vector<uint8_t>& pixels, int64_t rows, int64_t cols,
                              int64_t channels) {
  std::vector<uint8_t> out(pixels.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      for (int64_t c = 0; c < channels; ++c) {
        out[static_cast<size_t>((row * cols + col) * channels + c)] =
            pixels[static_cast<size_t>((row * cols + cols - 1 - col) * channels + c)];
      }
    }
  }
  return out;
}

TEST(CropResize, MirrorsAfterResizingWhicheverPassesRun) {
  for (const int64_t channels : {1, 3}) {
    const Image image = test::pattern(12, 17, channels);
    for (const auto& [rows, cols] :
         {std::pair{12, 17}, std::pair{12, 9}, std::pair{30, 17}, std::pair{7, 40}}) {
      for (const auto filter : {Interpolation::kBilinear, Interpolation::kBicubic}) {
        const auto straight = resized(image, whole(image), rows, cols, filter);
        const auto flipped = resized(image, whole(image), rows, cols, filter, true);
        EXPECT_EQ(flipped, mirrored(straight, rows, cols, channels)) << rows << "x" << cols;
        EXPECT_NE(flipped, straight);
      }
    }
  }
}

TEST(CropResize, ChangesTheOrderOfPassesWherePillowDoes) {
  struct OrderOfPasses {
    int64_t rows, cols, to_rows, to_cols;
    const char* sha256;  // of Pillow 13.0.0's result for the same pixels
  };
  // Two pairs of sizes that differ by one row: in each pair, the first size needs the horizontal
  // pass first, the second the vertical pass. The last size, with enlarged columns, needs the
  // vertical pass first.
  const std::vector<OrderOfPasses> cases{
      {80, 60, 40, 40, "4efd4973fae17cc0c7af0a583d391e230bd21e84cb98383ef59bbdae075121d0"},
      {81, 60, 40, 40, "bb1f72809169aab607219ecf1b575275891a2ae420074cdd9a483fa472de8e57"},
      {40, 60, 20, 50, "32c38bd13158e7d9938714dd8e42f0fbcb915a89717139bf252cddf646aa7190"},
      {41, 60, 20, 50, "0b607535b472c52196e003c39cbe7a2b54dbf95381699dfd3cfe900e4f860ffd"},
      {41, 30, 40, 60, "39137f065210011ebae4fde845b04a722057119f3c07d3de7964c24d92dd5859"}};
  for (const OrderOfPasses& c : cases) {
    const Image image = test::pattern(c.rows, c.cols, 3);
    const auto out = resized(image, whole(image), c.to_rows, c.to_cols, Interpolation::kBicubic);
    EXPECT_EQ(test::Sha256::hex(out), c.sha256) << c.rows << "x" << c.cols;
  }
}

TEST(CropResize, SameSizeIsACopyOfTheBox) {
  const Image image = test::pattern(5, 6, 1);
  const auto out = resized(image, {1, 2, 2, 3}, 2, 3, Interpolation::kBicubic);
  const auto at = [&](size_t row, size_t col) { return image.pixels[row * 6 + col]; };
  EXPECT_EQ(out,
            (std::vector<uint8_t>{at(1, 2), at(1, 3), at(1, 4), at(2, 2), at(2, 3), at(2, 4)}));
}

TEST(CropResize, AWindowEqualsThatPartOfTheWhole) {
  // Sizes for every combination of passes: none, one, and both in either order.
  const Image image = test::pattern(40, 30, 3);
  for (const auto& [rows, cols] : {std::pair{40, 30}, std::pair{40, 50}, std::pair{23, 30},
                                   std::pair{21, 29}, std::pair{35, 11}, std::pair{80, 60}}) {
    Image resized_whole{rows, cols, 3,
                        resized(image, whole(image), rows, cols, Interpolation::kBicubic)};
    const Box window{5, 3, 14, 7};
    std::vector<uint8_t> out(14 * 7 * 3);
    resize_window(image, rows, cols, window, Interpolation::kBicubic, out.data());
    EXPECT_EQ(out, resized(resized_whole, window, 14, 7, Interpolation::kBicubic))
        << rows << "x" << cols;
  }
}

TEST(CropResize, GreyEqualsEachChannelOfTheSameGreyInRgb) {
  const Image grey = test::pattern(33, 47, 1);
  Image rgb{33, 47, 3, {}};
  for (const uint8_t value : grey.pixels) rgb.pixels.insert(rgb.pixels.end(), 3, value);
  const Box box{3, 5, 28, 40};
  const auto one = resized(grey, box, 19, 61, Interpolation::kBicubic);
  const auto three = resized(rgb, box, 19, 61, Interpolation::kBicubic);
  ASSERT_EQ(three.size(), 3 * one.size());
  for (size_t i = 0; i < three.size(); ++i) ASSERT_EQ(three[i], one[i / 3]);
}

TEST(CropResize, FlatImagesStayFlat) {
  Image flat{40, 30, 3, std::vector<uint8_t>(40 * 30 * 3, 255)};
  for (const int64_t size : {1, 7, 64}) {
    const auto out = resized(flat, whole(flat), size, size, Interpolation::kBicubic);
    EXPECT_EQ(out, std::vector<uint8_t>(out.size(), 255));
  }
}

TEST(CropResize, BoxesOutsideTheImageAreRefused) {
  const Image image = test::pattern(4, 4, 1);
  for (const Box box : {Box{-1, 0, 2, 2}, Box{0, 3, 2, 2}, Box{0, 0, 5, 4}, Box{0, 0, 0, 4}}) {
    EXPECT_THROW(resized(image, box, 2, 2, Interpolation::kBicubic), std::logic_error);
  }
}

// Random weights. Their numbers per output vary, so that all remainders of the vector loops occur.
// They have both signs and are as large as weights get when an image is enlarged.
AxisWeights random_axis(int32_t source, int64_t outputs, uint32_t seed) {
  AxisWeights axis;
  axis.source = source;
  axis.taps = 16;
  uint32_t state = seed;
  const auto draw = [&](uint32_t bound) {
    state = state * 1664525U + 1013904223U;
    return static_cast<int32_t>((state >> 8) % bound);
  };
  for (int64_t i = 0; i < outputs; ++i) {
    const int32_t count = 1 + draw(static_cast<uint32_t>(std::min(source, 16)));
    const int32_t size = 1 << (count > 4 ? 19 : count > 2 ? 21 : 22);  // sums fit in 32 bits
    axis.count.push_back(count);
    axis.first.push_back(draw(static_cast<uint32_t>(source - count + 1)));
    for (int32_t t = 0; t < 16; ++t) {
      axis.weight.push_back(t < count ? draw(static_cast<uint32_t>(size)) - size / 4 : 0);
    }
  }
  add_digits(axis);
  return axis;
}

// Runs each pass on a random image with random weights. Buffers have exactly the size that is
// needed, so that a sanitizer detects reads past the end.
std::vector<uint8_t> both_passes(const ResizeKernels& kernels, uint32_t seed, bool mirror,
                                 int32_t mistake = 0) {
  const int64_t channels = seed % 4 == 0 ? 1 : 3, rows = 1 + seed % 7, cols = 1 + seed % 153;
  const Image source = test::pattern(rows, cols, channels, seed);
  const int64_t bytes = cols * channels;
  AxisWeights across = random_axis(static_cast<int32_t>(cols), 1 + seed % 41, seed);
  AxisWeights down = random_axis(static_cast<int32_t>(rows), 5, seed);
  for (AxisWeights* axis : {&across, &down}) {
    axis->weight[0] += mistake;
    add_digits(*axis);
  }
  std::vector<uint8_t> out(static_cast<size_t>(rows * view(across).outputs * channels));
  kernels.horizontal(source.pixels.data(), bytes, rows, channels, view(across), mirror, out.data());
  std::vector<uint8_t> below(static_cast<size_t>(5 * bytes));
  kernels.vertical(source.pixels.data(), bytes, bytes, view(down), below.data());
  out.insert(out.end(), below.begin(), below.end());
  return out;
}

void expect_the_bits_of_plain_loops(const ResizeKernels& kernels) {
  int noticed = 0;
  for (uint32_t seed = 1; seed < 400; ++seed) {
    for (const bool mirror : {false, true}) {
      const auto expected = both_passes(plain_resize_kernels(), seed, mirror);
      ASSERT_EQ(expected, both_passes(kernels, seed, mirror)) << seed;
      noticed += expected != both_passes(kernels, seed, mirror, 1 << 15);
    }
  }
  EXPECT_GT(noticed, 700);  // negative control: one weight per axis is off by 1/128
}

TEST(ResizeKernels, Avx2GivesTheSameBitsAsPlainLoops) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "the processor has no AVX2";
  expect_the_bits_of_plain_loops(avx2_resize_kernels());
}

TEST(ResizeKernels, VnniGivesTheSameBitsAsPlainLoops) {
  if (!has_vnni()) GTEST_SKIP() << "the processor has no AVX-512 with VNNI";
  expect_the_bits_of_plain_loops(vnni_resize_kernels());
}

TEST(AxisWeights, DigitsMakeTheWeights) {
  const AxisWeights axis = random_axis(30, 20, 1);
  for (size_t i = 0; i < axis.weight.size(); ++i) {
    int32_t weight = 0;
    for (size_t k = 3; k-- > 0;) {
      const int32_t word = axis.digits[i / 4 * 3 + k];
      weight = weight * 256 + static_cast<int8_t>(word >> (8 * (i % 4)));
    }
    EXPECT_EQ(weight, axis.weight[i]);
  }
}

TEST(AxisWeights, WeightsThatNeedAFourthDigitAreRefused) {
  AxisWeights axis = random_axis(30, 20, 1);
  axis.weight[5] = 1 << 23;
  EXPECT_THROW(add_digits(axis), std::logic_error);
}

}  // namespace
}  // namespace fcm::image
