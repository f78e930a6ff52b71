#include "tests/image/section_support.h"

namespace fcm::image {
namespace {

using test::bytes_of;
using test::cut_out;
using test::data_error;
using test::section_of;

const std::filesystem::path kSampleImage = test::data_folder() / "imagenet-sample";
const std::filesystem::path kBrokenBytes = test::data_folder() / "broken";

TEST(DecodeSection, PhotographsHaveThePixelsOfTheWhole) {
  FCM_NEED_FOLDER(kSampleImage);
  EXPECT_EQ(test::compare_photographs(7, 4), 72 * 4);  // section_slow_test.cpp compares all images
}

// Many boxes of one file for each kind of chroma subsampling in the sample.
TEST(DecodeSection, EverySubsampling) {
  FCM_NEED_FOLDER(kSampleImage);
  for (const char* name : {"train/n03461385/n03461385_grocery_store.JPEG" /* 4:4:0 */,
                           "train/n02104029/n02104029_kuvasz.JPEG" /* 4:2:2 */,
                           "train/n01871265/n01871265_tusker.JPEG" /* 75x56 */}) {
    const auto bytes = bytes_of(kSampleImage / name);
    EXPECT_EQ(test::different_sections(bytes, 60, 0), 0) << name;
    EXPECT_EQ(test::different_sections(bytes, 10, 1, 1), 0) << name;
  }
}

TEST(DecodeSection, OddFilesToo) {
  FCM_NEED_FOLDER(kBrokenBytes);
  for (const char* name :
       {"progressive.jpg", "arithmetic.jpg", "restart-markers.jpg", "trailing-garbage.jpg",
        "gray.jpg", "exif-orientation-6.jpg", "cmyk-adobe-inverted.jpg", "ycck-adobe.jpg",
        "png-renamed.JPEG", "png-palette-alpha.png", "png-1x1.png"}) {
    const auto bytes = bytes_of(kBrokenBytes / "images" / name);
    EXPECT_EQ(test::different_sections(bytes, 24, 0), 0) << name;
  }
}

TEST(DecodeSection, TheInputsOfTheTransforms) {
  const auto folder = test::fixtures_folder() / "transforms";
  FCM_NEED_FOLDER(folder);
  int compared = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string ending = entry.path().extension().string();
    if (ending != ".jpg" && ending != ".JPEG" && ending != ".png") continue;
    EXPECT_EQ(test::different_sections(bytes_of(entry.path()), 24, 0), 0) << entry.path();
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

// Negative control: the comparison detects a box that is one pixel off.
TEST(DecodeSection, NegativeControl) {
  FCM_NEED_FOLDER(kSampleImage);
  const auto bytes = bytes_of(kSampleImage / "train/n03461385/n03461385_grocery_store.JPEG");
  const Image whole = decode(bytes, 3);
  const Box box{50, 60, 100, 120};
  Section section = section_of(bytes, box);
  EXPECT_EQ(cut_out(section.image, section.box), cut_out(whole, box));
  section.box.left += 1;
  EXPECT_NE(cut_out(section.image, section.box), cut_out(whole, box));
}

TEST(DecodeSection, NoMoreThanWantedIsDecoded) {
  FCM_NEED_FOLDER(kSampleImage);
  const auto bytes = bytes_of(kSampleImage / "train/n02091032/n02091032_Italian_greyhound.JPEG");
  const Section section = section_of(bytes, {300, 1000, 200, 220});
  EXPECT_EQ(section.image.rows, 200);
  EXPECT_LE(section.image.cols, 220 + 2 * 2 + 16);
}

TEST(DecodeSection, ABoxOutsideIsABrokenPromise) {
  FCM_NEED_FOLDER(kSampleImage);
  const auto bytes = bytes_of(kSampleImage / "train/n01871265/n01871265_tusker.JPEG");  // 75x56
  for (const Box& box : {Box{0, 0, 57, 75}, Box{0, 1, 56, 75}, Box{-1, 0, 5, 5}, Box{0, 0, 0, 5}}) {
    EXPECT_THROW(section_of(bytes, box), std::logic_error);
  }
}

// A truncated file is refused, unless everything that the box needs comes before the cut; then the
// pixels are right. The result never has the grey that libjpeg fills in for missing data.
TEST(DecodeSection, CutFilesAreRefusedUnlessTheCutLiesBelowTheBox) {
  FCM_NEED_FOLDER(kSampleImage);
  const auto bytes = bytes_of(kSampleImage / "train/n01871265/n01871265_tusker.JPEG");  // 75x56
  const Image whole = decode(bytes, 3);
  for (const Box& box : {Box{0, 0, 10, 75}, Box{20, 10, 12, 50}, Box{40, 0, 16, 75}}) {
    size_t shortest = bytes.size();
    for (size_t size = 0; size < bytes.size(); ++size) {
      try {
        const Section section = section_of(std::span(bytes).first(size), box);
        EXPECT_EQ(cut_out(section.image, section.box), cut_out(whole, box)) << size;
        shortest = std::min(shortest, size);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::kData);
        EXPECT_EQ(shortest, bytes.size()) << size << " bytes refused, but fewer were accepted";
      }
    }
    const bool to_the_bottom = box.top + box.rows == whole.rows;
    EXPECT_EQ(shortest == bytes.size(), to_the_bottom) << box.top;
  }
}

TEST(DecodeSection, BrokenFilesAreRefusedWhereTheDamageIsRead) {
  FCM_NEED_FOLDER(kBrokenBytes);
  const Box upper{0, 0, 100, 100};
  for (const char* name : {"trunc-in-header.jpg", "progressive-trunc.jpg", "sof-65500x65500.jpg",
                           "text.jpg", "zero-byte.JPEG"}) {
    EXPECT_NE(data_error([&] { section_of(bytes_of(kBrokenBytes / "images" / name), upper); }), "");
  }
  const auto cut = bytes_of(kBrokenBytes / "images/trunc-mid-scan.jpg");  // 630x626
  EXPECT_NO_THROW(section_of(cut, upper));
  EXPECT_NE(data_error([&] { section_of(cut, {300, 0, 300, 100}); }), "");
  EXPECT_NE(data_error([&] { section_of(cut, {550, 0, 50, 100}); }), "");  // rows above it are cut
}

}  // namespace
}  // namespace fcm::image
