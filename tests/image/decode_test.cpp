#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fcm/base/random.h"
#include "fcm/image/colour.h"
#include "fcm/image/image.h"
#include "tests/image/sha256.h"
#include "tests/image/support.h"

namespace fcm::image {
namespace {

using test::bytes_of;
using test::data_error;
using test::Sha256;

const std::filesystem::path kBroken = test::data_folder() / "broken";
const std::filesystem::path kSample = test::data_folder() / "imagenet-sample";

TEST(Sha256, KnownDigests) {
  EXPECT_EQ(Sha256::hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::vector<uint8_t> abc{'a', 'b', 'c'};
  EXPECT_EQ(Sha256::hex(abc), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// Files whose pixels deliberately differ from Pillow's, with the reason.
const std::map<std::string, std::string> kOtherPixels{
    {"images/png-gray16.png", "Pillow clips 16-bit grey to 255 instead of scaling it"}};

TEST(Decode, BrokenAndOddImagesAsPillowJudgesThem) {
  FCM_NEED_FOLDER(kBroken);
  std::ifstream file(kBroken / "expected.json");
  const auto expected = nlohmann::json::parse(file).at("files");
  int accepted = 0, refused = 0;
  for (const auto& [name, facts] : expected.items()) {
    if (name.rfind("images/", 0) != 0) continue;
    SCOPED_TRACE(name);
    const auto bytes = bytes_of(kBroken / name);
    const auto& pillow = facts.at("pil");
    if (!pillow.at("accepted").get<bool>()) {
      EXPECT_NE(data_error([&] { decode(bytes, 3); }), "");
      ++refused;
      continue;
    }
    ++accepted;
    const Image image = decode(bytes, 3);
    EXPECT_EQ((std::vector<int64_t>{image.cols, image.rows}),
              pillow.at("rgb_size").get<std::vector<int64_t>>());
    const bool same = Sha256::hex(image.pixels) == pillow.at("rgb_sha256").get<std::string>();
    EXPECT_EQ(same, !kOtherPixels.contains(name));
  }
  EXPECT_EQ(accepted, 13);
  EXPECT_EQ(refused, 7);
}

TEST(Decode, RefusalsNameTheReason) {
  FCM_NEED_FOLDER(kBroken);
  const std::map<std::string, std::string> reasons{{"zero-byte.JPEG", "empty"},
                                                   {"text.jpg", "not a JPEG, PNG"},
                                                   {"trunc-mid-scan.jpg", "Premature end"},
                                                   {"trunc-last-bytes.jpg", "Premature end"},
                                                   {"progressive-trunc.jpg", "Premature end"},
                                                   {"sof-65500x65500.jpg", "65500x65500"}};
  for (const auto& [name, reason] : reasons) {
    const auto bytes = bytes_of(kBroken / "images" / name);
    const std::string message = data_error([&] { decode(bytes, 3); });
    EXPECT_NE(message.find(reason), std::string::npos) << name << ": " << message;
  }
}

TEST(Decode, SixteenBitGreyIsScaled) {
  FCM_NEED_FOLDER(kBroken);
  // Both files are made from one image. The grey file holds 257 times the 8-bit grey value.
  const Image grey = decode(bytes_of(kBroken / "images/png-gray16.png"), 1);
  const Image colour = decode(bytes_of(kBroken / "images/png-renamed.JPEG"), 1);
  EXPECT_EQ(grey.channels, 1);
  EXPECT_EQ(grey.pixels, colour.pixels);
}

struct Row {
  std::string path, pixels_sha256;
};

std::vector<Row> manifest(size_t every) {
  std::ifstream file(kSample / "manifest.tsv");
  std::string line;
  std::vector<Row> rows;
  std::getline(file, line);
  for (size_t number = 0; std::getline(file, line); ++number) {
    std::vector<std::string> cells;
    std::istringstream cut(line);
    for (std::string cell; std::getline(cut, cell, '\t');) cells.push_back(cell);
    if (number % every == 0) rows.push_back({cells.at(1), cells.at(11)});
  }
  return rows;
}

TEST(Decode, PhotographsHavePillowsPixels) {
  FCM_NEED_FOLDER(kSample);
  const auto rows = manifest(11);
  EXPECT_GE(rows.size(), 40u);
  for (const Row& row : rows) {
    const Image image = decode(bytes_of(kSample / row.path), 3);
    EXPECT_EQ(Sha256::hex(image.pixels), row.pixels_sha256) << row.path;
  }
}

// A JPEG of 75 x 56 pixels and 2 KB: small enough to be truncated at every byte.
std::filesystem::path smallest_jpeg() { return kSample / "train/n01871265/n01871265_tusker.JPEG"; }

TEST(Decode, JpegCutAnywhereIsRefused) {
  FCM_NEED_FOLDER(kSample);
  const auto bytes = bytes_of(smallest_jpeg());
  EXPECT_EQ(decode(bytes, 3).cols, 75);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(decode(std::span(bytes).first(size), 3), Error) << size;
  }
}

TEST(Decode, PngCutAnywhereIsRefused) {
  const auto bytes = encode_png(test::pattern(9, 13, 3));
  EXPECT_EQ(decode(bytes, 3).cols, 13);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(decode(std::span(bytes).first(size), 3), Error) << size;
  }
}

TEST(Decode, AnyFlippedBitOfAPngIsNoticed) {
  auto bytes = encode_png(test::pattern(9, 13, 3));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_THROW(decode(bytes, 3), Error) << bit;
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
}

TEST(Decode, FlippedBitsOfAJpegGiveAnImageOrAReason) {
  FCM_NEED_FOLDER(kSample);
  const auto bytes = bytes_of(smallest_jpeg());
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    auto damaged = bytes;
    for (int flips = 0; flips < 1 + i % 3; ++flips) {
      damaged[random.below(bytes.size())] ^= static_cast<uint8_t>(1 << random.below(8));
    }
    try {
      const Image image = decode(damaged, 3);
      EXPECT_EQ(image.pixels.size(), static_cast<size_t>(image.rows * image.cols * 3));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kData);
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(Decode, ExtraneousBytesBeforeTheEndMarkerAreHarmless) {
  FCM_NEED_FOLDER(kSample);
  const auto bytes = bytes_of(smallest_jpeg());
  auto padded = bytes;
  ASSERT_EQ(padded.back(), 0xD9);
  padded.insert(padded.end() - 2, 40, uint8_t{0x11});
  EXPECT_EQ(decode(padded, 3).pixels, decode(bytes, 3).pixels);
}

TEST(Decode, GreyOfAColourJpegIsTheLumaOfItsRgb) {
  FCM_NEED_FOLDER(kSample);
  const auto bytes = bytes_of(smallest_jpeg());
  const Image rgb = decode(bytes, 3), grey = decode(bytes, 1);
  ASSERT_EQ(grey.pixels.size() * 3, rgb.pixels.size());
  for (size_t i = 0; i < grey.pixels.size(); ++i) {
    const uint8_t* p = rgb.pixels.data() + 3 * i;
    const double luma = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
    ASSERT_NEAR(grey.pixels[i], luma, 0.51);
  }
}

TEST(Decode, TheSizeIsCheckedBeforeMemoryIsTaken) {
  const auto bytes = encode_png(test::pattern(10, 10, 1));
  EXPECT_NO_THROW(decode(bytes, 1, {100}));
  EXPECT_NE(data_error([&] { decode(bytes, 1, {99}); }).find("10x10"), std::string::npos);
}

TEST(Decode, OnlyOneAndThreeChannelsExist) {
  const auto bytes = encode_png(test::pattern(2, 2, 1));
  EXPECT_THROW(decode(bytes, 2), std::logic_error);
}

TEST(Colour, PillowsFormulas) {
  const std::vector<uint8_t> rgb{255, 0, 0, 0, 255, 0, 0, 0, 255, 200, 100, 50};
  std::vector<uint8_t> grey(4);
  grey_from_rgb(rgb.data(), 4, grey.data());
  EXPECT_EQ(grey, (std::vector<uint8_t>{76, 150, 29, 124}));
  const std::vector<uint8_t> cmyk{255, 255, 255, 255, 255, 255, 255, 0, 0, 128, 255, 200};
  std::vector<uint8_t> out(9);
  rgb_from_inverted_cmyk(cmyk.data(), 3, out.data());
  EXPECT_EQ(out, (std::vector<uint8_t>{255, 255, 255, 0, 0, 0, 0, 100, 200}));
}

}  // namespace
}  // namespace fcm::image
