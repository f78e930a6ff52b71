#include <algorithm>
#include <limits>

#include "fcm/base/failpoint.h"
#include "fcm/image/jpeg_writer.h"
#include "fcm/loader/sources/checksum.h"
#include "fcm/loader/sources/packed_writer.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;
using test::data_error;

// The numbers of images in the two splits. Some are smaller than the packed side, others larger.
constexpr int64_t kTrain = 5, kVal = 2;

image::Image source(int64_t i) {
  return test::pattern(20 + 9 * i, 31 + 4 * (i % 3), 3, static_cast<uint32_t>(i));
}

fs::path write_packed(const fs::path& path, const PackedForm& form) {
  PackedWriter writer(path, form.kind);
  writer.begin(PackedSplit::kTrain, {"ant", "zebra"});
  for (int64_t i = 0; i < kTrain + kVal; ++i) {
    if (i == kTrain) writer.begin(PackedSplit::kVal, {"ant"});
    const std::string bytes = packed_image(source(i), form);
    writer.add(bytes, checksum(bytes), i < kTrain ? i % 2 : 0, fmt::format("key {}", i));
  }
  const int64_t size = writer.finish();
  EXPECT_EQ(size, static_cast<int64_t>(fs::file_size(path)));
  return path;
}

// Like torchvision's Resize(side), but without enlarging small images.
image::Image resized(const image::Image& image, int64_t side) {
  const int64_t shorter = std::min(image.rows, image.cols);
  if (shorter <= side) return image;
  image::Image out = image;
  out.rows = image.rows == shorter ? side : side * image.rows / shorter;
  out.cols = image.cols == shorter ? side : side * image.cols / shorter;
  out.pixels.resize(static_cast<size_t>(out.rows * out.cols * out.channels));
  image::crop_resize(image, {0, 0, image.rows, image.cols}, out.rows, out.cols,
                     image::Interpolation::kBicubic, false, out.pixels.data());
  return out;
}

image::Image through_jpeg(const image::Image& image, int quality) {
  const std::string bytes = image::encode_jpeg(image, quality);
  return image::decode({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, 3);
}

class PackedFileTest : public testing::Test {
 protected:
  std::unique_ptr<Dataset> open(Split split = Split::kTrain) const {
    return open_dataset(path_.string(), split);
  }
  std::string error() const {
    return data_error([&] { open(); });
  }
  // Overwrites the file with these bytes.
  void replace(const std::string& bytes) const { folder_.write(path_.filename().string(), bytes); }

  test::Scratch folder_;
  const fs::path path_ = folder_.path() / "some.file";  // the content decides, not the name
};

TEST_F(PackedFileTest, RawImagesAreTheSourcesResized) {
  write_packed(path_, {PackedKind::kRaw, 30, 0});
  EXPECT_FALSE(fs::exists(path_.string() + ".tmp"));
  const auto train = open(), val = open(Split::kVal);
  ASSERT_EQ(train->size(), kTrain);
  ASSERT_EQ(val->size(), kVal);
  EXPECT_EQ(train->classes(), (std::vector<std::string>{"ant", "zebra"}));
  EXPECT_EQ(val->classes(), (std::vector<std::string>{"ant"}));
  for (int64_t i = 0; i < kTrain + kVal; ++i) {
    const Dataset& set = i < kTrain ? *train : *val;
    const int64_t index = i < kTrain ? i : i - kTrain;
    const image::Image expected = resized(source(i), 30), got = set.get(index, 3);
    EXPECT_EQ(std::pair(got.rows, got.cols), std::pair(expected.rows, expected.cols));
    EXPECT_EQ(got.pixels, expected.pixels);
    EXPECT_NE(got.pixels, resized(source(i + 1), 30).pixels);
    EXPECT_EQ(set.label(index), i < kTrain ? i % 2 : 0);
    EXPECT_EQ(set.name(index), fmt::format("{}:key {}", path_.string(), i));
    EXPECT_EQ(set.get(index, 1).channels, 1);
  }
}

TEST_F(PackedFileTest, JpegsAreTheSourcesResizedAndCompressed) {
  write_packed(path_, {PackedKind::kJpeg, 30, 90});
  const auto train = open();
  for (int64_t i = 0; i < kTrain; ++i) {
    EXPECT_EQ(train->get(i, 3).pixels, through_jpeg(resized(source(i), 30), 90).pixels);
    EXPECT_NE(train->get(i, 3).pixels, through_jpeg(resized(source(i), 30), 91).pixels);
  }
}

TEST_F(PackedFileTest, OnePackedSplitAnswersForBothOrForItself) {
  for (const auto& [split, has_train, has_val] :
       {std::tuple{PackedSplit::kBoth, true, true}, std::tuple{PackedSplit::kTrain, true, false},
        std::tuple{PackedSplit::kVal, false, true}}) {
    PackedWriter writer(path_, PackedKind::kRaw);
    writer.begin(split, {});
    const std::string bytes = packed_image(source(0), {PackedKind::kRaw, 8, 0});
    writer.add(bytes, checksum(bytes), -1, "one");
    writer.finish();
    for (const auto& [wanted, has] :
         {std::pair{Split::kTrain, has_train}, std::pair{Split::kVal, has_val}}) {
      if (has) {
        EXPECT_EQ(open(wanted)->label(0), -1);
      } else {
        const auto message = data_error([&, which = wanted] { open(which); });
        EXPECT_NE(message.find("it holds no "), std::string::npos) << message;
      }
    }
  }
}

TEST_F(PackedFileTest, AFileCutAtAnyByteIsRefused) {
  write_packed(path_, {PackedKind::kJpeg, 8, 50});
  const std::string whole = read_file(path_, ExitCode::kData);
  for (size_t size = kPackedMagic.size(); size < whole.size(); ++size) {
    replace(whole.substr(0, size));
    const auto message = error();
    ASSERT_NE(message.find("packed file " + path_.string() + ": "), std::string::npos) << message;
    ASSERT_NE(message.find("it is truncated"), std::string::npos) << size << ": " << message;
  }
  replace(whole + "x");
  EXPECT_NE(error().find("it is truncated"), std::string::npos);
}

// A changed byte after the magic number must either make the file invalid or make exactly one image
// unreadable.
TEST_F(PackedFileTest, EveryAlteredByteIsNoticed) {
  write_packed(path_, {PackedKind::kRaw, 4, 0});
  const std::string whole = read_file(path_, ExitCode::kData);
  int refused = 0, bad = 0;
  for (size_t at = kPackedMagic.size(); at < whole.size(); ++at) {
    std::string altered = whole;
    altered[at] = static_cast<char>(altered[at] ^ 0x10);
    replace(altered);
    try {
      const auto train = open(), val = open(Split::kVal);
      int found = 0;
      for (int64_t i = 0; i < kTrain + kVal; ++i) {
        try {
          i < kTrain ? train->get(i, 3) : val->get(i - kTrain, 3);
        } catch (const Error& error) {
          EXPECT_NE(std::string(error.what()).find("checksum"), std::string::npos);
          ++found;
        }
      }
      ASSERT_EQ(found, 1) << at;
      ++bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kData);
      ++refused;
    }
  }
  EXPECT_GT(bad, 100);
  EXPECT_GT(refused, 100);
}

TEST_F(PackedFileTest, OtherVersionsAndKindsSayWhatTheyAre) {
  write_packed(path_, {PackedKind::kRaw, 4, 0});
  std::string bytes = read_file(path_, ExitCode::kData);
  bytes[8] = 2;
  replace(bytes);
  EXPECT_NE(error().find("its version is 2, but this program reads version 1"), std::string::npos);
  bytes[8] = 1;
  bytes[12] = 7;
  replace(bytes);
  EXPECT_NE(error().find("unknown kind 7"), std::string::npos);
}

// These indexes have a valid checksum, but contradict themselves or the images.
TEST_F(PackedFileTest, HostileIndexesAreRefused) {
  const std::string head = packed_head(PackedKind::kRaw);
  const std::string pixels = packed_image(source(0), {PackedKind::kRaw, 4, 0});
  const auto with = [&](int32_t label, uint32_t size, int images, PackedSplit split) {
    PackedIndex index;
    index.split = split;
    index.classes = {"ant"};
    for (int i = 0; i < images; ++i) {
      index.entries.push_back({0, checksum(pixels), size, label});
      index.names.add("name");
    }
    replace(head + pixels + packed_tail(head, {index}, kPackedHead + pixels.size()));
  };
  const auto size = static_cast<uint32_t>(pixels.size());
  with(0, size, 1, PackedSplit::kBoth);
  EXPECT_NO_THROW(open()->get(0, 3));
  with(1, size, 1, PackedSplit::kBoth);
  EXPECT_NE(error().find("label 1 of 1 class"), std::string::npos);
  with(-2, size, 1, PackedSplit::kBoth);
  EXPECT_NE(error().find("label -2"), std::string::npos);
  with(0, size + 1, 1, PackedSplit::kBoth);
  EXPECT_NE(error().find("the images end at byte"), std::string::npos);
  with(0, std::numeric_limits<uint32_t>::max(), 3, PackedSplit::kBoth);
  EXPECT_NE(error().find("the images end at byte"), std::string::npos);
  with(0, size, 0, PackedSplit::kBoth);
  EXPECT_NE(error().find("0 images"), std::string::npos);
  with(0, size, 1, static_cast<PackedSplit>(3));
  EXPECT_NE(error().find("split number 3"), std::string::npos);
}

TEST_F(PackedFileTest, PixelsThatContradictTheirSizeAreABadImage) {
  const std::string good = packed_image(source(0), {PackedKind::kRaw, 4, 0});
  for (const std::string& bytes : {good.substr(1), std::string(), std::string("short"),
                                   std::string(8, '\0'), std::string(8, '\xff')}) {
    PackedWriter writer(path_, PackedKind::kRaw);
    writer.begin(PackedSplit::kBoth, {});
    writer.add(bytes, checksum(bytes), -1, "odd");
    writer.finish();
    const auto set = open();
    const auto message = data_error([&] { set->get(0, 3); });
    EXPECT_NE(message.find(":odd: "), std::string::npos) << message;
  }
}

TEST_F(PackedFileTest, NothingIsLeftOfAFileThatIsNotFinished) {
  replace("what was here before");
  {
    PackedWriter writer(path_, PackedKind::kRaw);
    writer.begin(PackedSplit::kBoth, {});
  }
  EXPECT_EQ(read_file(path_, ExitCode::kData), "what was here before");
  EXPECT_FALSE(fs::exists(path_.string() + ".tmp"));
}

// If any call fails, the file is either the old or the new one, complete, and no other file
// remains.
TEST_F(PackedFileTest, AFailureAtAnyCallLeavesTheOldFileOrTheNew) {
  const PackedForm form{PackedKind::kRaw, 4, 0};
  write_packed(path_, form);
  const std::string whole = read_file(path_, ExitCode::kData);
  failpoint::arm("pack:0:kill");  // only counts
  write_packed(path_, form);
  const int64_t points = failpoint::hits();
  EXPECT_GT(points, 2 * (kTrain + kVal));
  int kept = 0;
  for (int64_t point = 1; point <= points; ++point) {
    replace("what was here before");
    failpoint::arm(fmt::format("pack:{}:ENOSPC", point));
    try {
      write_packed(path_, form);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
    }
    failpoint::disarm();
    const std::string content = read_file(path_, ExitCode::kData);
    EXPECT_TRUE(content == whole || content == "what was here before") << point;
    if (content != whole) ++kept;
    EXPECT_FALSE(fs::exists(path_.string() + ".tmp")) << point;
  }
  EXPECT_GT(kept, kTrain + kVal);
}

TEST(JpegWriter, WhatJpegCannotHoldIsRefused) {
  EXPECT_NE(data_error([] { image::encode_jpeg(test::pattern(1, 65501, 1), 90); }).find("JPEG"),
            std::string::npos);
  const std::string grey = image::encode_jpeg(test::pattern(9, 7, 1), 90);
  EXPECT_EQ(image::decode({reinterpret_cast<const uint8_t*>(grey.data()), grey.size()}, 1).cols, 7);
}

}  // namespace
}  // namespace fcm::loader
