#include "fcm/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace fcm {
namespace {

// The test vectors of Philox4x32-10 by its authors.
TEST(Philox, MatchesPublishedVectors) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(KeyedRandom, DependsOnEveryPartOfItsKey) {
  std::set<uint32_t> first;
  first.insert(KeyedRandom(1, Purpose::kCrop, 0, 0).next());
  first.insert(KeyedRandom(2, Purpose::kCrop, 0, 0).next());
  first.insert(KeyedRandom(1, Purpose::kFlip, 0, 0).next());
  first.insert(KeyedRandom(1, Purpose::kCrop, 1, 0).next());
  first.insert(KeyedRandom(1, Purpose::kCrop, 0, 1).next());
  first.insert(KeyedRandom(1, Purpose::kCrop, 0, uint64_t{1} << 40).next());
  EXPECT_EQ(first.size(), 6u);
  EXPECT_EQ(KeyedRandom(9, Purpose::kMask, 3, 4).next(),
            KeyedRandom(9, Purpose::kMask, 3, 4).next());
}

TEST(KeyedRandom, MomentsAreThoseOfTheDistributions) {
  KeyedRandom random(3, Purpose::kInit, 0, 0);
  constexpr int kDraws = 200000;
  double uniform = 0, normal = 0, square = 0;
  for (int i = 0; i < kDraws; ++i) {
    uniform += random.uniform();
    const double draw = random.normal();
    normal += draw;
    square += draw * draw;
  }
  EXPECT_NEAR(uniform / kDraws, 0.5, 0.004);
  EXPECT_NEAR(normal / kDraws, 0.0, 0.012);
  EXPECT_NEAR(square / kDraws, 1.0, 0.02);
}

TEST(KeyedRandom, BetaHasItsMomentsAndIsUniformAtOne) {
  constexpr int kDraws = 40000;
  for (const auto& [a, b] : {std::pair{0.8, 0.8}, {1.0, 1.0}, {2.0, 5.0}, {0.1, 0.3}}) {
    KeyedRandom random(3, Purpose::kMix, 1, 2);
    double sum = 0, squares = 0;
    int below_quarter = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double draw = random.beta(a, b);
      ASSERT_TRUE(draw >= 0 && draw <= 1);
      sum += draw;
      squares += draw * draw;
      below_quarter += draw < 0.25;
    }
    const double mean = a / (a + b), variance = mean * b / (a + b) / (a + b + 1);
    EXPECT_NEAR(sum / kDraws, mean, 0.01) << a << " " << b;
    EXPECT_NEAR(squares / kDraws - mean * mean, variance, 0.01) << a << " " << b;
    if (a == 1 && b == 1) {
      EXPECT_NEAR(static_cast<double>(below_quarter) / kDraws, 0.25, 0.01);
    }
  }
}

TEST(KeyedPermutation, VisitsEveryPlaceOnce) {
  for (uint64_t size : {1u, 2u, 3u, 100u, 4096u, 60000u}) {
    const KeyedPermutation order(size, 7, Purpose::kOrder, 1);
    std::set<uint64_t> seen;
    for (uint64_t place = 0; place < size; ++place) seen.insert(order(place));
    EXPECT_EQ(seen.size(), size);
    EXPECT_LT(*seen.rbegin(), size);
  }
}

TEST(KeyedPermutation, ChangesWithTheEpochAndLeavesFewInPlace) {
  const KeyedPermutation first(1000, 7, Purpose::kOrder, 1), second(1000, 7, Purpose::kOrder, 2);
  int fixed = 0, same = 0;
  for (uint64_t place = 0; place < 1000; ++place) {
    fixed += first(place) == place;
    same += first(place) == second(place);
  }
  EXPECT_LT(fixed, 10);
  EXPECT_LT(same, 10);
}

}  // namespace
}  // namespace fcm
