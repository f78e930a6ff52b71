#include "fcm/boxes/sampler.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "fcm/boxes/matcher.h"

namespace fcm::boxes {
namespace {

at::Tensor labels_of(int64_t positives, int64_t negatives, int64_t ignored) {
  const at::Tensor sorted =
      at::cat({at::full({positives}, 1, at::kChar), at::full({negatives}, 0, at::kChar),
               at::full({ignored}, -1, at::kChar)});
  // Shuffles the labels in a fixed way.
  std::vector<int64_t> order(static_cast<size_t>(sorted.numel()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [](int64_t a, int64_t b) { return (a * 7919) % 101 < (b * 7919) % 101; });
  return sorted.index_select(0, at::tensor(at::ArrayRef<int64_t>(order), at::kLong));
}

std::vector<int64_t> numbers(const at::Tensor& indices) {
  return {indices.const_data_ptr<int64_t>(), indices.const_data_ptr<int64_t>() + indices.numel()};
}

TEST(Sampler, TakesWhatThereIsUpToItsCounts) {
  EXPECT_TRUE(rc::check([] {
    const auto positives = *rc::gen::inRange<int64_t>(0, 40);
    const auto negatives = *rc::gen::inRange<int64_t>(0, 80);
    const auto ignored = *rc::gen::inRange<int64_t>(0, 20);
    const auto total = *rc::gen::inRange<int64_t>(1, 60);
    const auto most = *rc::gen::inRange<int64_t>(0, total + 1);
    const auto seed = *rc::gen::arbitrary<uint64_t>();
    const at::Tensor labels = labels_of(positives, negatives, ignored);
    const Choice choice = keyed_choice(seed, Purpose::kAnchors, 3, 9);
    const Sampled sampled = sample(labels, {total, most}, choice);
    const int64_t wanted = std::min(positives, most);
    RC_ASSERT(sampled.positive_P.size(0) == wanted);
    RC_ASSERT(sampled.negative_Q.size(0) == std::min(negatives, total - wanted));
    for (const auto& [indices, label] :
         {std::pair{sampled.positive_P, kPositive}, {sampled.negative_Q, kNegative}}) {
      const std::vector<int64_t> chosen = numbers(indices);
      RC_ASSERT(std::set<int64_t>(chosen.begin(), chosen.end()).size() == chosen.size());
      RC_ASSERT(labels.index_select(0, indices).eq(label).all().item<bool>());
    }
    const Sampled again = sample(labels, {total, most}, choice);  // must be the same: no state
    RC_ASSERT(again.positive_P.equal(sampled.positive_P));
    RC_ASSERT(again.negative_Q.equal(sampled.negative_Q));
  }));
}

TEST(Sampler, DrawsByItsKeys) {
  const at::Tensor labels = labels_of(100, 300, 10);
  const auto drawn = [&](uint64_t seed, Purpose purpose, uint64_t epoch, uint64_t id) {
    const Sampled sampled = sample(labels, {64, 32}, keyed_choice(seed, purpose, epoch, id));
    return std::pair(numbers(sampled.positive_P), numbers(sampled.negative_Q));
  };
  const auto first = drawn(1, Purpose::kAnchors, 2, 3);
  EXPECT_EQ(first, drawn(1, Purpose::kAnchors, 2, 3));
  for (const auto& other : {drawn(2, Purpose::kAnchors, 2, 3), drawn(1, Purpose::kRegions, 2, 3),
                            drawn(1, Purpose::kAnchors, 3, 3), drawn(1, Purpose::kAnchors, 2, 4)}) {
    EXPECT_NE(first.first, other.first);
    EXPECT_NE(first.second, other.second);
  }
  // Positives and negatives have different random numbers, even if their counts are equal.
  const Choice choice = keyed_choice(1, Purpose::kAnchors, 2, 3);
  EXPECT_NE(choice(Side::kPositives, 200, 20), choice(Side::kNegatives, 200, 20));
}

// Every candidate and every pair of candidates is equally likely.
TEST(Sampler, DrawsUniformly) {
  constexpr int64_t kCount = 12, kWanted = 5, kRounds = 6000;
  std::vector<double> single(kCount), pair(kCount * kCount);
  for (uint64_t round = 0; round < kRounds; ++round) {
    const auto chosen =
        keyed_choice(round, Purpose::kRegions, 0, 1)(Side::kNegatives, kCount, kWanted);
    for (const int64_t a : chosen) {
      ++single[static_cast<size_t>(a)];
      for (const int64_t b : chosen) {
        if (a < b) ++pair[static_cast<size_t>(a * kCount + b)];
      }
    }
  }
  const auto farthest = [&](double share, const std::vector<double>& counts) {
    const double expected = share * kRounds, std = std::sqrt(expected * (1 - share));
    double most = 0;
    for (const double count : counts) {
      if (count > 0) most = std::max(most, std::abs(count - expected) / std);
    }
    return most;
  };
  EXPECT_LT(farthest(5.0 / 12, single), 4);
  EXPECT_LT(farthest(5.0 * 4 / (12 * 11), pair), 4.5);
  EXPECT_EQ(std::ranges::count(pair, 0.0), kCount * kCount - kCount * (kCount - 1) / 2);
}

TEST(Sampler, TakesTheChoiceOfTheCaller) {
  const at::Tensor labels = at::tensor({0, 1, -1, 0, 1, 0, 1}, at::kChar);
  const Sampled sampled = sample(labels, {4, 2}, [](Side side, int64_t count, int64_t wanted) {
    EXPECT_EQ(count, 3);
    EXPECT_EQ(wanted, 2);
    return side == Side::kPositives ? std::vector<int64_t>{2, 0} : std::vector<int64_t>{1, 2};
  });
  EXPECT_EQ(numbers(sampled.positive_P), (std::vector<int64_t>{6, 1}));  // as chosen
  EXPECT_EQ(numbers(sampled.negative_Q), (std::vector<int64_t>{3, 5}));
  EXPECT_THROW(
      sample(labels, {4, 2}, [](Side, int64_t, int64_t) { return std::vector<int64_t>{}; }),
      std::logic_error);
}

}  // namespace
}  // namespace fcm::boxes
