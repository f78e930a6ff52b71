#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "fcm/ops/patchify/op.h"
#include "tests/support/compare.h"

namespace fcm::ops {
namespace {

const Normalisation kImageNet{{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};

at::Tensor random_images(int64_t batch, int64_t height, int64_t width, int64_t channels) {
  at::manual_seed(3);
  return at::randint(256, {batch, height, width, channels}, at::kByte);
}

at::Tensor random_order(int64_t batch, int64_t patches) {
  at::manual_seed(4);
  return at::rand({batch, patches}).argsort(/*stable=*/true, /*dim=*/1);
}

TEST(Patchify, EveryValueIsThePixelItShouldBe) {
  const PatchGeometry geometry{{2, 2}};
  const int64_t rows = 2, cols = 3, side = 4, channels = 3;
  const at::Tensor images = random_images(2, rows * side, cols * side, channels);
  const at::Tensor order = random_order(2, rows * cols);
  const at::Tensor pixels = patchify(images, order, geometry, kImageNet, at::kDouble);
  ASSERT_EQ(pixels.sizes(), (at::IntArrayRef{2, rows * cols, 4, 2 * 2 * channels}));
  for (int64_t image = 0; image < 2; ++image) {
    for (int64_t slot = 0; slot < rows * cols; ++slot) {
      const int64_t patch = order[image][slot].item<int64_t>();
      for (int64_t i = 0; i < side * side * channels; ++i) {
        // Value i of a patch: cell (row, column), pixel within the cell (row, column), channel.
        const int64_t cell = i / 12, inner = i % 12 / 3, channel = i % 3;
        const int64_t row = patch / cols * side + cell / 2 * 2 + inner / 2;
        const int64_t col = patch % cols * side + cell % 2 * 2 + inner % 2;
        const double byte = images[image][row][col][channel].item<uint8_t>();
        const auto c = static_cast<size_t>(channel);
        ASSERT_DOUBLE_EQ(pixels[image][slot].flatten()[i].item<double>(),
                         (byte / 255.0 - kImageNet.mean[c]) / kImageNet.stddev[c]);
      }
    }
  }
}

TEST(Patchify, NarrowTypesAreTheRoundedDoubles) {
  const at::Tensor images = random_images(1, 32, 16, 3);
  const at::Tensor order = random_order(1, 2);
  const PatchGeometry geometry{{4, 2, 2}};
  const at::Tensor exact = patchify(images, order, geometry, kImageNet, at::kDouble);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    EXPECT_TRUE(
        test::same_bits(patchify(images, order, geometry, kImageNet, dtype), exact.to(dtype)));
  }
}

TEST(Patchify, NormalisedImagesAreCutTheSame) {
  const at::Tensor images = random_images(2, 32, 48, 3);
  const at::Tensor order = random_order(2, 6);
  const PatchGeometry geometry{{4, 2, 2}};
  const at::Tensor normalised =
      (images.to(at::kDouble) / 255.0 - at::tensor(kImageNet.mean, at::kDouble)) /
      at::tensor(kImageNet.stddev, at::kDouble);
  EXPECT_TRUE(
      test::same_bits(patchify(images, order, geometry, kImageNet, at::kDouble),
                      patchify_normalised(normalised.permute({0, 3, 1, 2}), order, geometry)));
}

TEST(Patchify, UnpatchifyIsTheInverse) {
  const PatchGeometry geometry{{2, 3}};
  const at::Tensor images = at::rand({2, 3, 3 * 6, 2 * 6}, at::kDouble);
  const at::Tensor order = random_order(2, 6);
  const at::Tensor patches = patchify_normalised(images, order, geometry).flatten(2);
  EXPECT_TRUE(test::same_bits(unpatchify(patches, order, geometry, 3, 2), images));
  // Negative control: with another order the result differs.
  EXPECT_FALSE(test::same_bits(unpatchify(patches, order.flip(1), geometry, 3, 2), images));
}

TEST(Patchify, SomeOfTheSlotsGiveThosePatches) {
  const PatchGeometry geometry{{4, 2, 2}};
  const at::Tensor images = random_images(3, 32, 32, 3);
  const at::Tensor order = random_order(3, 4);
  const at::Tensor all = patchify(images, order, geometry, kImageNet, at::kFloat);
  const at::Tensor some = order.narrow(1, 1, 2);  // not contiguous
  EXPECT_TRUE(test::same_bits(patchify(images, some, geometry, kImageNet, at::kFloat),
                              all.narrow(1, 1, 2)));
  const at::Tensor normalised = at::rand({3, 3, 32, 32});
  EXPECT_TRUE(test::same_bits(patchify_normalised(normalised, some, geometry),
                              patchify_normalised(normalised, order, geometry).narrow(1, 1, 2)));
}

TEST(Patchify, StridedImagesAreRead) {
  const PatchGeometry geometry{{4}};
  const at::Tensor planar = random_images(2, 3, 8, 8);  // used as [B, C, H, W]
  const at::Tensor order = random_order(2, 4);
  const at::Tensor interleaved = planar.permute({0, 2, 3, 1});
  EXPECT_TRUE(
      test::same_bits(patchify(interleaved, order, geometry, kImageNet, at::kFloat),
                      patchify(interleaved.contiguous(), order, geometry, kImageNet, at::kFloat)));
}

TEST(Patchify, ImagesThatCannotBeCutAreRefused) {
  const PatchGeometry geometry{{4, 2, 2}};
  try {
    patchify(random_images(1, 40, 32, 3), random_order(1, 4), geometry, kImageNet, at::kFloat);
    FAIL() << "an image of 40 rows was cut into patches of 16";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kData);
    EXPECT_NE(std::string(error.what()).find("40 x 32"), std::string::npos);
  }
}

TEST(Patchify, BrokenPromisesAreNoticed) {
  const PatchGeometry geometry{{4, 2, 2}};
  const at::Tensor images = random_images(1, 32, 32, 3);
  const at::Tensor order = random_order(1, 4);
  const at::Tensor outside = order + 1;
  EXPECT_THROW(patchify(images, outside, geometry, kImageNet, at::kFloat), std::logic_error);
  EXPECT_THROW(patchify(images, order - 1, geometry, kImageNet, at::kFloat), std::logic_error);
  EXPECT_THROW(patchify(images, order, geometry, {{0.5}, {0.5}}, at::kFloat), std::logic_error);
  EXPECT_THROW(patchify(images.to(at::kInt), order, geometry, kImageNet, at::kFloat),
               std::logic_error);
  EXPECT_THROW(unpatchify(at::rand({1, 4, 768}), order, geometry, 2, 3), std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
