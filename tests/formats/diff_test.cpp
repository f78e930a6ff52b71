#include "fcm/formats/diff.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace fcm::formats {
namespace {

TensorView view(const std::string& name, const std::vector<float>& values) {
  return {name, "F32", {static_cast<int64_t>(values.size())}, std::as_bytes(std::span(values))};
}

TEST(Diff, TheSameBitsAreEqual) {
  const std::vector<float> values = {1, -0.0F, std::nanf(""), INFINITY};
  const std::vector<TensorView> one = {view("a", values)};
  const Comparison comparison = compare(one, one);
  EXPECT_TRUE(comparison.equal());
  ASSERT_EQ(comparison.common.size(), 1U);
  EXPECT_EQ(comparison.common[0].max_abs, 0);
}

TEST(Diff, OneBitIsADifference) {
  const std::vector<float> before = {1, 2, -4};
  std::vector<float> after = before;
  after[1] = std::nextafter(after[1], 3.0F);
  const std::vector<TensorView> one = {view("a", before)}, other = {view("a", after)};
  const Comparison comparison = compare(one, other);
  EXPECT_FALSE(comparison.equal());
  EXPECT_EQ(comparison.common[0].max_abs, after[1] - before[1]);
  EXPECT_EQ(comparison.common[0].max_rel, (after[1] - before[1]) / 4.0);
}

TEST(Diff, SignedZerosDifferByNothingButBits) {
  const std::vector<float> zero = {0.0F}, negative = {-0.0F};
  const std::vector<TensorView> one = {view("a", zero)}, other = {view("a", negative)};
  const Comparison comparison = compare(one, other);
  EXPECT_FALSE(comparison.equal());
  EXPECT_EQ(comparison.common[0].max_abs, 0);
}

TEST(Diff, NaNAgainstANumberIsInfinite) {
  const std::vector<float> one = {1.0F}, nan = {std::nanf("")};
  const std::vector<TensorView> left = {view("a", one)}, right = {view("a", nan)};
  EXPECT_EQ(compare(left, right).common[0].max_abs, INFINITY);
  EXPECT_EQ(compare(right, left).common[0].max_abs, INFINITY);
}

TEST(Diff, NamesOfOneAloneAreListed) {
  const std::vector<float> values = {1};
  const std::vector<TensorView> left = {view("a", values), view("b", values)},
                                right = {view("c", values), view("a", values)};
  const Comparison comparison = compare(left, right);
  EXPECT_FALSE(comparison.equal());
  EXPECT_EQ(comparison.only_in_first, std::vector<std::string>{"b"});
  EXPECT_EQ(comparison.only_in_second, std::vector<std::string>{"c"});
}

TEST(Diff, OtherShapesAreNotCompared) {
  const std::vector<float> values = {1, 2};
  TensorView column = view("a", values);
  column.shape = {2, 1};
  const std::vector<TensorView> left = {view("a", values)}, right = {column};
  const Comparison comparison = compare(left, right);
  EXPECT_EQ(comparison.common[0].note, "F32 [2] and F32 [2, 1]");
  EXPECT_EQ(comparison.common[0].max_abs, INFINITY);
}

// Compares every 16-bit float of both dtypes with the same value in float32.
TEST(Diff, ValuesOfHalvesAreExact) {
  for (const char* dtype : {"BF16", "F16"}) {
    std::vector<uint16_t> halves(1 << 16);
    std::vector<float> singles(1 << 16);
    for (uint32_t bits = 0; bits < halves.size(); ++bits) {
      halves[bits] = static_cast<uint16_t>(bits);
      if (std::string(dtype) == "BF16") {
        singles[bits] = std::bit_cast<float>(bits << 16);
      } else {
        singles[bits] = static_cast<float>(std::bit_cast<_Float16>(halves[bits]));
      }
    }
    const std::vector<TensorView> left =
                                      {{"a", dtype, {1 << 16}, std::as_bytes(std::span(halves))}},
                                  right = {view("a", singles)};
    const Comparison comparison = compare(left, right);
    EXPECT_EQ(comparison.common[0].max_abs, 0) << dtype;
    EXPECT_FALSE(comparison.equal());  // the dtypes differ
  }
}

}  // namespace
}  // namespace fcm::formats
