// Decodes a JPEG, a PNG and both kinds of WebP truncated at every byte, with flipped bits, and as
// mutants. With AddressSanitizer: bash scripts/sanitize.sh address --slow image
#include "tests/image/codec_support.h"
#include "tests/image/section_support.h"
#include "tests/support/mutants.h"

namespace fcm::image {
namespace {

struct Format {
  const char* name;
  std::vector<uint8_t> bytes;
};

std::vector<Format> formats_of(int64_t rows, int64_t cols) {
  const Image scene = test::scene(rows, cols);
  return {{"JPEG", test::encode_jpeg(scene)},
          {"PNG", encode_png(scene)},
          {"WebP, lossy", test::encode_webp(scene)},
          {"WebP, lossless", test::encode_webp(scene, {.lossless = true})}};
}

// Decodes the whole image and then a part of it. The buffer has exactly the file's size, so that a
// sanitizer detects reads past the end. Returns whether decoding the whole image was refused.
bool read_both_ways(const std::vector<uint8_t>& bytes) {
  bool refused = false;
  try {
    const Image image = decode(bytes, 3, {1 << 24});
    EXPECT_EQ(std::ssize(image.pixels), image.rows * image.cols * 3);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kData) << error.what();
    refused = true;
  }
  try {
    decode_section(bytes, 1,
                   [](int64_t rows, int64_t cols) {
                     return Box{rows / 3, cols / 4, 1 + rows / 3, 1 + cols / 4};
                   },
                   {1 << 24});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kData) << error.what();
  }
  return refused;
}

TEST(DamageSlow, CutsAtEveryByte) {
  int64_t cuts = 0;
  for (const Format& format : formats_of(96, 128)) {
    for (size_t size = 0; size < format.bytes.size(); ++size, ++cuts) {
      const std::vector<uint8_t> cut(format.bytes.begin(),
                                     format.bytes.begin() + static_cast<ptrdiff_t>(size));
      ASSERT_TRUE(read_both_ways(cut)) << format.name << " cut to " << size << " bytes";
    }
  }
  test::Series::note("cuts", cuts);
}

TEST(DamageSlow, FlippedBits) {
  const test::Series series(10'000);
  for (const Format& format : formats_of(96, 128)) {
    int64_t refused = 0;
    double slowest = 0;
    for (int64_t number = 0; number < series.cases(); ++number) {
      SCOPED_TRACE(series.place(number));
      KeyedRandom random = series.random_of(number);
      std::vector<uint8_t> damaged = format.bytes;
      for (uint64_t flips = 1 + random.below(3); flips > 0; --flips) {
        damaged[random.below(damaged.size())] ^= static_cast<uint8_t>(1 << random.below(8));
      }
      const Stopwatch watch;
      refused += read_both_ways(damaged) ? 1 : 0;
      slowest = std::max(slowest, watch.seconds());
    }
    std::printf("%-16s %lld of %lld refused, slowest %.4f s\n", format.name,
                static_cast<long long>(refused), static_cast<long long>(series.cases()), slowest);
    EXPECT_GT(refused, series.cases() / 100) << format.name;
    EXPECT_LT(slowest, 1) << format.name;
  }
}

TEST(DamageSlow, Mutants) {
  const test::Series series(100'000);
  for (const Format& format : formats_of(32, 40)) {
    std::vector<std::byte> whole;
    for (const uint8_t byte : format.bytes) whole.push_back(static_cast<std::byte>(byte));
    test::try_mutants(format.name, whole, ExitCode::kData, series, [](const auto& bytes) {
      const auto* first = reinterpret_cast<const uint8_t*>(bytes.data());
      decode({first, bytes.size()}, 3, {1 << 20});
    });
  }
}

}  // namespace
}  // namespace fcm::image
