#include "fcm/image/augment.h"

#include "tests/image/sha256.h"
#include "tests/image/support.h"

namespace fcm::image {
namespace {

constexpr std::array<uint8_t, 3> kFill{124, 116, 104};

// An image with values from 60 to 145 only, so that stretching the contrast changes it.
Image narrow_pattern(int64_t rows = 41, int64_t cols = 53) {
  Image image = test::pattern(rows, cols, 3);
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(60 + value / 3);
  return image;
}

struct Case {
  void (*change)(Image&);
  const char* sha256;  // of Pillow 13.0.0's result for the same pixels
};

std::vector<Case> pillow_cases() {
  return {
      {[](Image& p) { autocontrast(p); },
       "54c101543cdf2997c4086d4e4d83221c6d3def1a46183decea30816e5b656a8e"},
      {[](Image& p) { equalize(p); },
       "68d26d4579e24cc48003a913325d1cc86350e24672234a2cba0c609ece091570"},
      {[](Image& p) { invert(p); },
       "ca81f8dbe09c72e76bec0739c044b36586688ca23107e9d00cec1a975395d64d"},
      {[](Image& p) { posterize(p, 3); },
       "5ab93bf0d95badca3bb98ffcb0251979d3791e3d693ffaca341599119e437935"},
      {[](Image& p) { posterize(p, 1); },
       "c22d2a0957c3784fc0a0a713882a5cfe817160b463e4ecc6fa5be02ae60e880f"},
      {[](Image& p) { solarize(p, 100); },
       "2cb67c04c4660237c12669e8b71a402476ee514f0da53cef96dd3bafe54a57a9"},
      {[](Image& p) { solarize_add(p, 99); },
       "9f56bf27aa2bad4f3118a30ab69489ee4a6524e0d35dede32c29d472df5d41ab"},
      {[](Image& p) { change_color(p, 1.81); },
       "ab5f8d767cd28ffe604d0f54cf44f814bcf0f196d767f4eecca0be80bd1c4e64"},
      {[](Image& p) { change_color(p, 0.19); },
       "bdb6813518c14c175b04ccc701855347b7e8220a2509f6cf082e3bc9d7893bdd"},
      {[](Image& p) { change_contrast(p, 1.81); },
       "6e2cc6f16f0d1a7c3c90dddb81a52750ffed3d3bbe6fb114101b0af3c79c0b2f"},
      {[](Image& p) { change_contrast(p, 0.19); },
       "a345a6f484739e116e2cd60f1154a25e57fa7f17b25364fbb0274001c55935be"},
      {[](Image& p) { change_brightness(p, 1.81); },
       "79840006e5c1ccd15feacd47ee4ab6e67e5adc1c67d66862d1cf2f1e1b38ddbc"},
      {[](Image& p) { change_brightness(p, 0.19); },
       "d6a044fd669575696a44a506c451b41ee7b2d1a29be4ebe3f18f51c65b1ba690"},
      {[](Image& p) { change_sharpness(p, 1.81); },
       "7e07c6668bc14603cc3ff1f92fc8a1a811abcff9293c98094569a94e63cc0784"},
      {[](Image& p) { change_sharpness(p, 0.19); },
       "a75a5701a82f920913a7eed1bf65272dbd551cd9b22958992d239b9bd986a07a"},
      {[](Image& p) { rotate(p, 27.3, Interpolation::kBicubic, kFill); },
       "aebaf53c42da62f2539299352beb95f1d86c333b59346016e9bd487e3714f372"},
      {[](Image& p) { rotate(p, -4.1, Interpolation::kBicubic, kFill); },
       "d3834ed1db3d64e293744c6d20e839885afe914c563a0294b970b954e50bbaca"},
      {[](Image& p) {
         transform(p, {1, 0.27, 0, 0, 1, 0}, Interpolation::kBicubic, kFill);
       },
       "022c6fd8d93c15a6145d08566c171991c47dd289d4a29a699f93a3cbde9074f3"},
      {[](Image& p) {
         transform(p, {1, 0, 0, -0.27, 1, 0}, Interpolation::kBicubic, kFill);
       },
       "50e3abb4ebd0ac8347ae1ba64c684d8110bb36352db03ed4273dcf625554ed88"},
      {[](Image& p) {
         transform(p, {1, 0, -20.3, 0, 1, 0}, Interpolation::kBicubic, kFill);
       },
       "1dcf550ac35b939775d8825c96a889897064fa1ac67cc31ceb102aa12eeb118f"},
      {[](Image& p) {
         transform(p, {1, 0, 0, 0, 1, 7.45}, Interpolation::kBicubic, kFill);
       },
       "223de5748b721fa60da4e7f12b4b3eb6be9f8492066985f93d049e8f0e7ef036"},
      {[](Image& p) { rotate(p, 27.3, Interpolation::kBilinear, kFill); },
       "a01db4495d3715c97780a5bb5dc865a84c4c306472503b657f485ba8a35e0b85"},
      {[](Image& p) { rotate(p, -4.1, Interpolation::kBilinear, kFill); },
       "5386756a61b23e533516a16ac38a8c2b00899dc4e7b67f07f4e3577b77d04f84"},
      {[](Image& p) {
         transform(p, {1, 0.27, 0, 0, 1, 0}, Interpolation::kBilinear, kFill);
       },
       "d4930d5f4afc992eca6e98e2008ff479d3a79b97af7d184c3754fc04bc89add1"},
      {[](Image& p) {
         transform(p, {1, 0, 0, -0.27, 1, 0}, Interpolation::kBilinear, kFill);
       },
       "3922c976150dd6e019a4c178cdaedc743afd300c002efc777fa9fd6063e4bc12"},
      {[](Image& p) {
         transform(p, {1, 0, -20.3, 0, 1, 0}, Interpolation::kBilinear, kFill);
       },
       "75e5eb9de51bb4da6dfcc7ed0497aabdc047a96385907ea752a56483e964eeb4"},
      {[](Image& p) {
         transform(p, {1, 0, 0, 0, 1, 7.45}, Interpolation::kBilinear, kFill);
       },
       "b98336a353dd456c9ad1d109df709ce5264cd0934d679ef29f13442cba9be60e"},
  };
}

TEST(Augment, EveryOperationHasPillowsBits) {
  size_t number = 0;
  for (const Case& c : pillow_cases()) {
    Image image = narrow_pattern();
    c.change(image);
    EXPECT_EQ(test::Sha256::hex(image.pixels), c.sha256) << "case " << number;
    ++number;
  }
  EXPECT_EQ(number, 27U);
}

TEST(Augment, TheChecksumsNoticeASlightlyOtherOperation) {
  const auto sum = [](const auto& change) {
    Image image = narrow_pattern();
    change(image);
    return test::Sha256::hex(image.pixels);
  };
  const auto turned = [&](double degrees, uint8_t fill) {
    return sum([&](Image& p) {
      const std::array<uint8_t, 3> colour{fill, 116, 104};
      rotate(p, degrees, Interpolation::kBicubic, colour);
    });
  };
  EXPECT_NE(turned(27.3, 124), turned(27.3, 123));
  EXPECT_NE(turned(27.3, 124), turned(27.31, 124));
  EXPECT_NE(sum([](Image& p) { change_sharpness(p, 1.81); }),
            sum([](Image& p) { change_sharpness(p, 1.8); }));
}

TEST(Augment, NothingIsLeftOfZeroBits) {
  Image image = narrow_pattern();
  posterize(image, 0);
  EXPECT_EQ(image.pixels, std::vector<uint8_t>(image.pixels.size(), 0));
}

TEST(Augment, WhatHasOneValueStaysAsItIs) {
  const Image flat{4, 4, 3, std::vector<uint8_t>(48, 77)};
  for (const auto change : {autocontrast, equalize}) {
    Image image = flat;
    change(image);
    EXPECT_EQ(image.pixels, flat.pixels);
  }
}

TEST(Augment, FactorOneAndNoTurnChangeNothing) {
  const Image before = narrow_pattern(7, 9);
  for (const auto change : {change_color, change_contrast, change_brightness, change_sharpness}) {
    Image image = before;
    change(image, 1);
    EXPECT_EQ(image.pixels, before.pixels);
  }
  for (const auto interpolation : {Interpolation::kBilinear, Interpolation::kBicubic}) {
    Image image = before;
    rotate(image, 0, interpolation, kFill);
    transform(image, {1, 0, 0, 0, 1, 0}, interpolation, kFill);
    EXPECT_EQ(image.pixels, before.pixels);
  }
}

TEST(Augment, TinyAndGreyImagesWork) {
  for (const int64_t channels : {1, 3}) {
    for (const int64_t side : {1, 2, 3}) {
      Image image = test::pattern(side, side, channels);
      autocontrast(image);
      equalize(image);
      change_color(image, 0.3);
      change_contrast(image, 1.7);
      change_sharpness(image, 0.5);
      rotate(image, 13, Interpolation::kBicubic, std::span(kFill).first(channels));
      EXPECT_EQ(image.pixels.size(), static_cast<size_t>(side * side * channels));
    }
  }
}

}  // namespace
}  // namespace fcm::image
