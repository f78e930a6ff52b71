// COCO results files: reading, writing, refusals.
#include "fcm/eval/coco_results.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tests/support/error_of.h"
#include "tests/support/mutants.h"
#include "tests/support/scratch.h"

namespace fcm::eval {
namespace {

constexpr const char* kTwoEntries = R"([
  {"image_id": 42, "category_id": 18, "bbox": [258.15, 41.29, 348.26, 243], "score": 0.236},
  {"segmentation": {"counts": "42", "size": [2, 3], "note": [1, {"size": 3}]}, "score": 1, "id": 7,
   "extra": {"score": [[], {}, null, true, -1, 1.5, "x"]}, "category_id": 1, "image_id": -3}])";

TEST(CocoResults, AreReadInAnyOrderOfKeys) {
  const auto entries = parse_coco_results(kTwoEntries, "results.json");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].image_id, 42);
  EXPECT_EQ(entries[0].category_id, 18);
  EXPECT_EQ(entries[0].score, .236);
  EXPECT_EQ(entries[0].box, (std::array<double, 4>{258.15, 41.29, 348.26, 243}));
  EXPECT_FALSE(entries[0].mask);
  EXPECT_EQ(entries[1].image_id, -3);
  EXPECT_FALSE(entries[1].box);
  EXPECT_EQ(entries[1].mask->runs, (std::vector<uint32_t>{4, 2}));
  EXPECT_TRUE(parse_coco_results("[]", "").empty());
  const auto numbers = parse_coco_results(
      R"([{"image_id":1,"category_id":1,"score":0,"segmentation":{"size":[2,3],"counts":[4,2]}}])",
      "");
  EXPECT_EQ(numbers[0].mask, entries[1].mask);
}

TEST(CocoResults, AreReadBackAsTheyWereWritten) {
  std::vector<CocoEntry> entries(3);
  entries[0] = {1, 2, .1F, std::array<double, 4>{.1, 1e-300, 1.0 / 3, 1e15}, {}};
  entries[1] = {int64_t{1} << 62, -5, 0, {}, image::empty_mask(3, 4)};
  // A run length is stored as its difference to the run two before it. The difference 44 is encoded
  // as a backslash and another character.
  entries[2] = {3, 4, 1, std::array<double, 4>{},
                image::run_lengths_of_counts(std::vector<int64_t>{0, 1, 1, 45, 45, 8}, 10, 10)};
  const std::string text = coco_results_text(entries);
  EXPECT_NE(text.find("\\\\"), std::string::npos) << text;
  EXPECT_EQ(parse_coco_results(text, ""), entries);
  EXPECT_EQ(coco_results_text({}), "[\n]\n");
  entries[0].score = std::nan("");
  EXPECT_THROW(coco_results_text(entries), std::logic_error);
  const test::Scratch scratch;
  std::ofstream(scratch / "results.json") << text;
  EXPECT_EQ(read_coco_results(scratch / "results.json").size(), 3U);
}

std::string refusal_of(const std::string& text) {
  return test::error_of(ExitCode::kData, [&] { parse_coco_results(text, "r.json"); });
}

// The text of a results file with `value` for one of its keys.
std::string with(const std::string& key, const std::string& value) {
  std::string text = R"([{"image_id":1,"category_id":2,"score":0.5,"bbox":[1,2,3,4],)"
                     R"("segmentation":{"size":[2,3],"counts":"42"}}])";
  const size_t at = text.find("\"" + key + "\":") + key.size() + 3;
  size_t end = at;
  for (int depth = 0; depth > 0 || (text[end] != ',' && text[end] != '}'); ++end) {
    depth += text[end] == '[' || text[end] == '{';
    depth -= text[end] == ']' || text[end] == '}';
  }
  return text.replace(at, end - at, value);
}

TEST(CocoResults, OtherShapesAreRefused) {
  EXPECT_EQ(refusal_of(with("score", "0.5")), "");
  EXPECT_EQ(refusal_of("{}"),
            "r.json is not a list of results: it has an object where a list is expected");
  EXPECT_EQ(refusal_of("3"),
            "r.json is not a list of results: it has a number where a list is expected");
  EXPECT_EQ(refusal_of("[[]]"),
            "r.json is not a list of results: it has a list where an entry is expected");
  EXPECT_EQ(refusal_of("[1]"),
            "r.json is not a list of results: it has a number where an entry is expected");
  EXPECT_EQ(refusal_of(""), "r.json is not a JSON list of results: invalid JSON at byte 1");
  EXPECT_NE(refusal_of("[] []").find("invalid JSON"), std::string::npos);
  EXPECT_NE(refusal_of(with("score", "NaN")).find("invalid JSON"), std::string::npos);
  EXPECT_NE(refusal_of(with("score", "1e999")).find("invalid JSON"), std::string::npos);
  EXPECT_EQ(refusal_of("[{}]"), "r.json, entry 0: it lacks image_id");
  EXPECT_EQ(refusal_of(with("image_id", "1.5")),
            "r.json, entry 0: it has a number that is not whole where a whole number is expected");
  EXPECT_NE(refusal_of(with("image_id", "9223372036854775808")).find("not whole"),
            std::string::npos);
  EXPECT_EQ(refusal_of(with("category_id", "\"cat\"")),
            "r.json, entry 0: it has text where a whole number is expected");
  EXPECT_EQ(refusal_of(with("score", "null")),
            "r.json, entry 0: it has null where a number is expected");
  EXPECT_EQ(refusal_of(with("bbox", "[1,2,3]")), "r.json, entry 0: its bbox has 3 numbers");
  EXPECT_EQ(refusal_of(with("bbox", "[1,2,3,4,5]")),
            "r.json, entry 0: its bbox has more than 4 numbers");
  EXPECT_EQ(refusal_of(with("bbox", "[1,2,3,[4]]")),
            "r.json, entry 0: it has a list where a number is expected");
  EXPECT_EQ(
      refusal_of(with("segmentation", "[[1,2,3,4,5,6]]")),
      "r.json, entry 0: its segmentation is a polygon, expected run lengths (size and counts)");
  EXPECT_EQ(refusal_of(with("segmentation", "{}")),
            "r.json, entry 0: its segmentation lacks size or counts");
  EXPECT_EQ(refusal_of(with("size", "[2]")), "r.json, entry 0: its size has 1 numbers");
  EXPECT_EQ(refusal_of(with("size", "[2,3,4]")),
            "r.json, entry 0: its size has more than 2 numbers");
  EXPECT_NE(refusal_of(with("size", "[2.5,3]")).find("where a whole number is expected"),
            std::string::npos);
  EXPECT_EQ(refusal_of(with("size", "[2,4]")),
            "r.json, entry 0: the 2 runs of a mask of 2 x 4 pixels leave 2 pixels over");
  EXPECT_NE(
      refusal_of(with("size", "[9223372036854775807,9223372036854775807]")).find("expected sides"),
      std::string::npos);
  EXPECT_NE(refusal_of(with("counts", "[4,-2]")).find("has length -2"), std::string::npos);
  EXPECT_EQ(refusal_of(with("counts", "7")),
            "r.json, entry 0: it has a number where text or a list is expected");
  EXPECT_EQ(refusal_of(R"([{"image_id":1,"image_id":1}])"),
            "r.json, entry 0: it has image_id twice");
  EXPECT_EQ(refusal_of(R"([{"image_id":1,"category_id":1,"score":1}])"),
            "r.json, entry 0: it lacks bbox and segmentation");
  EXPECT_NE(test::error_of(ExitCode::kData, [] { read_coco_results("/nowhere/r.json"); }), "");
}

TEST(CocoResults, DeepNestingInWhatIsPassedOver) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  std::string text = with("score", "0.5");
  text.insert(2, "\"other\":" + deep + ",");
  EXPECT_EQ(parse_coco_results(text, "").size(), 1U);
}

TEST(CocoResults, ChangedFilesAreReadOrRefused) {
  const test::Series series(2000);
  test::try_mutants("results", test::to_bytes(kTwoEntries), ExitCode::kData, series,
                    [](const std::vector<std::byte>& bytes) {
                      const auto entries = parse_coco_results(
                          {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "");
                      EXPECT_EQ(parse_coco_results(coco_results_text(entries), ""), entries);
                    });
}

}  // namespace
}  // namespace fcm::eval
