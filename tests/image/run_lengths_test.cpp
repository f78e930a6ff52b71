// Compares run-length masks with stored results of pycocotools and with a pixel-by-pixel
// implementation; tests hostile texts.
#include "fcm/image/run_lengths.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "tests/image/mask_support.h"
#include "tests/image/support.h"
#include "tests/support/mutator.h"

namespace fcm::image {
namespace {

using Json = nlohmann::json;
using Counts = std::vector<int64_t>;
const std::filesystem::path kGoldens = FCM_SOURCE_DIR "/../shared/goldens";

Json stored_json(const std::filesystem::path& file) {
  return Json::parse(test::bytes_of(kGoldens / file));
}

RunLengths mask_of(const Json& one, const Json& size) {
  return parse_run_lengths(one.at("counts").get<std::string>(), size.at(0), size.at(1));
}

void expect_stored(const Json& one, const Json& size) {
  const RunLengths mask = mask_of(one, size);
  EXPECT_EQ(run_lengths_text(mask), one.at("counts"));
  EXPECT_EQ(mask_area(mask), one.at("area"));
  EXPECT_EQ(Json(mask_box(mask)), one.at("bbox"));
  if (one.contains("runs")) {
    EXPECT_EQ(std::ssize(mask.runs), one.at("runs"));
  }
  const std::vector<uint8_t> bytes = decode_mask(mask);
  EXPECT_EQ(encode_mask(bytes, mask.rows, mask.cols), mask);
  EXPECT_EQ(std::ranges::count(bytes, 1), mask_area(mask));
  if (!one.contains("counts_uncompressed")) return;
  const auto counts = one.at("counts_uncompressed").get<Counts>();
  EXPECT_EQ(Counts(mask.runs.begin(), mask.runs.end()), counts);
  EXPECT_EQ(run_lengths_of_counts(counts, mask.rows, mask.cols), mask);
}

TEST(RunLengths, StoredMasksAreReadAndWritten) {
  FCM_NEED_FOLDER(kGoldens);
  for (const char* file : {"detection/rle.json", "eval_rle/rle.json"}) {
    SCOPED_TRACE(file);
    const Json stored = stored_json(file);
    for (const Json& one : stored.at("masks")) expect_stored(one, one.at("size"));
    if (!stored.contains("real_strings")) continue;
    for (const Json& one : stored.at("real_strings")) expect_stored(one, one.at("size"));
  }
}

std::vector<const RunLengths*> pointers_to(const std::vector<RunLengths>& masks) {
  std::vector<const RunLengths*> pointers;
  for (const RunLengths& mask : masks) pointers.push_back(&mask);
  return pointers;
}

TEST(RunLengths, StoredUnionsAndOverlaps) {
  FCM_NEED_FOLDER(kGoldens);
  const Json stored = stored_json("detection/rle.json");
  std::vector<RunLengths> masks;
  for (size_t i = 0; i < 16; ++i) {
    masks.push_back(mask_of(stored.at("polygons")[i], stored.at("size")));
  }
  for (const Json& one : stored.at("merge")) {
    std::vector<RunLengths> some;
    for (const size_t i : one.at("of").get<std::vector<size_t>>()) some.push_back(masks[i]);
    EXPECT_EQ(run_lengths_text(unite_masks(some)), one.at("union"));
  }
  auto crowd = stored.at("iou").at("crowd").get<std::vector<uint8_t>>();
  std::vector<double> wanted;
  for (const Json& row : stored.at("iou").at("rle")) {
    for (const Json& value : row) wanted.push_back(value);
  }
  const std::vector<const RunLengths*> all = pointers_to(masks);
  EXPECT_EQ(mask_ious(all, all, crowd), wanted);
  crowd[1] = 0;
  EXPECT_NE(mask_ious(all, all, crowd), wanted);
}

int64_t pixels_where(const test::ByteMask& one, const test::ByteMask& other, bool either) {
  int64_t count = 0;
  for (size_t i = 0; i < one.bytes.size(); ++i) {
    count += either ? one.bytes[i] | other.bytes[i] : one.bytes[i] & other.bytes[i];
  }
  return count;
}

std::array<double, 4> plain_box(const test::ByteMask& mask) {
  int64_t left = mask.cols, top = mask.rows, right = 0, bottom = 0;
  for (int64_t row = 0; row < mask.rows; ++row) {
    for (int64_t col = 0; col < mask.cols; ++col) {
      if (mask.at(row, col) == 0) continue;
      left = std::min(left, col), right = std::max(right, col + 1);
      top = std::min(top, row), bottom = std::max(bottom, row + 1);
    }
  }
  if (right == 0) return {0, 0, 0, 0};
  return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(right - left),
          static_cast<double>(bottom - top)};
}

TEST(RunLengths, EqualTheObviousForm) {
  for (uint64_t number = 0; number < 400; ++number) {
    KeyedRandom random(6, Purpose::kSynthetic, 0, number);
    const auto rows = static_cast<int64_t>(1 + random.below(number % 4 == 0 ? 3 : 40));
    const auto cols = static_cast<int64_t>(1 + random.below(number % 4 == 1 ? 3 : 150));
    const test::ByteMask bytes = test::synthetic_mask(2 * number, rows, cols);
    const test::ByteMask other_bytes = test::synthetic_mask(2 * number + 1, rows, cols);
    const RunLengths mask = test::encoded(bytes), other = test::encoded(other_bytes);
    ASSERT_EQ(mask.runs, test::plain_runs(bytes)) << number;
    ASSERT_EQ(decode_mask(mask), bytes.bytes) << number;
    ASSERT_EQ(parse_run_lengths(run_lengths_text(mask), rows, cols), mask) << number;
    ASSERT_EQ(mask_box(mask), plain_box(bytes)) << number;
    test::ByteMask both = bytes;
    for (size_t i = 0; i < both.bytes.size(); ++i) both.bytes[i] |= other_bytes.bytes[i];
    ASSERT_EQ(unite_masks(std::vector{mask, other}), test::encoded(both)) << number;
    const RunLengths *detections[] = {&mask}, *truths[] = {&other, &other};
    const uint8_t crowd[] = {0, 1};
    const auto shared = static_cast<double>(pixels_where(bytes, other_bytes, false));
    const auto either = static_cast<double>(pixels_where(bytes, other_bytes, true));
    const auto own = static_cast<double>(mask_area(mask));
    const auto ratio = [&](double whole) { return shared == 0 ? 0 : shared / whole; };
    ASSERT_EQ(mask_ious(detections, truths, crowd), (std::vector{ratio(either), ratio(own)}));
  }
}

TEST(RunLengths, AnyByteButZeroIsOfTheObject) {
  const RunLengths mask = encode_mask(std::vector<uint8_t>{0, 7, 255, 1, 0, 0}, 2, 3);
  EXPECT_EQ(mask.runs, (std::vector<uint32_t>{1, 2, 1, 1, 1}));  // columns (0 1) (7 0) (255 0)
  EXPECT_EQ(decode_mask(mask), (std::vector<uint8_t>{0, 1, 1, 1, 0, 0}));
  EXPECT_EQ(empty_mask(2, 3).runs, std::vector<uint32_t>{6});
}

// Other programs write empty runs after a union or a rasterisation.
TEST(RunLengths, EmptyRunsAreJoinedAway) {
  const RunLengths plain = run_lengths_of_counts(Counts{2, 3, 1}, 2, 3);
  EXPECT_EQ(run_lengths_of_counts(Counts{0, 0, 2, 1, 0, 2, 1, 0}, 2, 3), plain);
  EXPECT_EQ(run_lengths_of_counts(Counts{1, 0, 1, 3, 1}, 2, 3), plain);
  EXPECT_EQ(run_lengths_of_counts(Counts{0, 6}, 2, 3).runs, (std::vector<uint32_t>{0, 6}));
  EXPECT_EQ(run_lengths_of_counts(Counts{0, 0, 6}, 2, 3).runs, std::vector<uint32_t>{6});
  const std::string zeros(1'000'000, '0');
  EXPECT_EQ(parse_run_lengths(zeros + "6", 2, 3), empty_mask(2, 3));
  EXPECT_EQ(parse_run_lengths(zeros + "06", 2, 3).runs, (std::vector<uint32_t>{0, 6}));
}

TEST(RunLengths, PlacesNamedTwiceAreTurnedBack) {
  std::vector<int64_t> places{4, 1, 4, 6, 4, 3, 3};
  EXPECT_EQ(run_lengths_of_changes(places, 2, 3).runs, (std::vector<uint32_t>{1, 3, 2}));
  std::vector<int64_t> outside{7};
  EXPECT_THROW(run_lengths_of_changes(outside, 2, 3), std::logic_error);
  std::vector<int64_t> none;
  EXPECT_EQ(run_lengths_of_changes(none, 2, 3), empty_mask(2, 3));
}

TEST(RunLengths, LargestMasks) {
  const RunLengths all = empty_mask(kMostMaskPixels, 1);
  EXPECT_EQ(parse_run_lengths(run_lengths_text(all), kMostMaskPixels, 1), all);
  // The text stores differences of run lengths; here they reach both ends of their range.
  const RunLengths jumps = run_lengths_of_counts(
      Counts{0, 1, 0, 1, 1, 1'000'000'000, 1, 1, 1'000'000'000, 1}, 1, 2'000'000'006);
  EXPECT_EQ(jumps.runs.size(), 8U);
  EXPECT_EQ(parse_run_lengths(run_lengths_text(jumps), 1, 2'000'000'006), jumps);
}

std::string refusal(const std::string& text, int64_t rows, int64_t cols) {
  return test::data_error([&] { parse_run_lengths(text, rows, cols); });
}

TEST(RunLengths, HostileTextsAreRefused) {
  EXPECT_EQ(refusal("", 2, 3), "the 0 runs of a mask of 2 x 3 pixels leave 6 pixels over");
  EXPECT_EQ(refusal("5", 2, 3), "the 1 runs of a mask of 2 x 3 pixels leave 1 pixels over");
  EXPECT_EQ(refusal("52", 2, 3), "run 1 of a mask of 2 x 3 pixels has length 2, expected 0 to 1");
  EXPECT_EQ(refusal("O", 2, 3), "run 0 of a mask of 2 x 3 pixels has length -1, expected 0 to 6");
  EXPECT_EQ(refusal("5 1", 2, 3),
            "character 1 of a mask's run lengths has the code 32, expected '0' (48) to 'o' (111)");
  EXPECT_NE(refusal("5\xff", 2, 3).find("code 255"), std::string::npos);
  EXPECT_NE(refusal(std::string("6\0", 2), 2, 3).find("code 0"), std::string::npos);
  EXPECT_EQ(refusal("5P", 2, 3),
            "the run lengths of a mask end within a number, after 2 characters");
  EXPECT_EQ(refusal("PPPPPPP0", 2, 3),
            "a number in a mask's run lengths has more than 7 digits, before character 7");
  EXPECT_NE(refusal("ooooooN", kMostMaskPixels, 1).find("has length"), std::string::npos);
  EXPECT_NE(refusal("1110N", 2, 3).find("has length -1"), std::string::npos);  // 1 1 1 1 -1
}

TEST(RunLengths, HostileSizesAndCountsAreRefused) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{0, 3},
                                   {3, 0},
                                   {-1, -6},
                                   {kLargest, kLargest},
                                   {kMostMaskPixels, 2},
                                   {int64_t{1} << 32, int64_t{1} << 32},
                                   {2, 1 << 30}}) {
    EXPECT_NE(refusal("6", rows, cols).find("expected sides of 1 or more"), std::string::npos);
    EXPECT_NE(test::data_error([&, r = rows, c = cols] { empty_mask(r, c); }), "");
  }
  for (const Counts& counts : {Counts{}, Counts{5}, Counts{7}, Counts{-1, 7}, Counts{kLargest, 1},
                               Counts{kLargest, kLargest, 8}, Counts{3, 4}}) {
    EXPECT_NE(test::data_error([&] { run_lengths_of_counts(counts, 2, 3); }), "");
  }
}

TEST(RunLengths, MasksOfOtherImagesDoNotMeet) {
  const RunLengths one = empty_mask(2, 3), other = empty_mask(3, 2);
  const RunLengths *detections[] = {&one}, *truths[] = {&other};
  const uint8_t crowd[] = {0};
  const std::string wanted =
      "a mask of 2 x 3 pixels meets one of 3 x 2: they are of different images";
  EXPECT_EQ(test::data_error([&] { mask_ious(detections, truths, crowd); }), wanted);
  EXPECT_EQ(test::data_error([&] { unite_masks(std::vector{one, other}); }), wanted);
  EXPECT_THROW(unite_masks({}), std::logic_error);
  EXPECT_THROW(mask_ious(detections, detections, {}), std::logic_error);
  EXPECT_THROW(encode_mask(std::vector<uint8_t>(5), 2, 3), std::logic_error);
  EXPECT_THROW(decode_mask({2, 3, {7}}), std::logic_error);
}

// A changed text is either refused or read as another mask of the same size, which can be written.
TEST(RunLengths, ChangedTextsNeverBreakAnything) {
  const test::ByteMask bytes = test::synthetic_mask(7, 37, 41);
  const std::string text = run_lengths_text(test::encoded(bytes));
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  const std::vector<std::byte> whole(first, first + text.size());
  int refused = 0;
  for (uint64_t number = 0; number < 3000; ++number) {
    const std::vector<std::byte> mutant = test::Mutator(whole, number).run();
    const std::string_view changed(reinterpret_cast<const char*>(mutant.data()), mutant.size());
    try {
      const RunLengths mask = parse_run_lengths(changed, 37, 41);
      ASSERT_EQ(encode_mask(decode_mask(mask), 37, 41), mask);
      ASSERT_EQ(parse_run_lengths(run_lengths_text(mask), 37, 41), mask);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ExitCode::kData);
      ++refused;
    }
  }
  EXPECT_GT(refused, 30);
  EXPECT_LT(refused, 3000);
}

}  // namespace
}  // namespace fcm::image
