// Tests the training order of images with instances, in which each batch has one orientation.
#include "fcm/loader/oriented_order.h"

#include <map>
#include <set>

#include "fcm/base/stopwatch.h"
#include "tests/loader/frame_support.h"

namespace fcm::loader {
namespace {

using Chosen = OrientedOrder::Chosen;

// A data set that has only image sizes: `wide` wide images and `others` square ones.
class Recorded final : public Dataset {
 public:
  Recorded(int64_t wide, int64_t others) : wide_(wide), others_(others) {}
  int64_t size() const override { return wide_ + others_; }
  int64_t label(int64_t) const override { return -1; }
  const std::vector<std::string>& classes() const override { return none_; }
  std::string name(int64_t) const override { return "recorded"; }
  image::Image get(int64_t, int64_t) const override { return {}; }
  ImageRecord image_record(int64_t index) const override {
    // Wide and other images alternate irregularly, as in real data sets.
    const bool is_wide = index * 7 % size() < wide_;
    return {index, 10, is_wide ? 20 : 10, 1};
  }
  Instances instances(int64_t) const override { return {}; }

 private:
  int64_t wide_, others_;
  std::vector<std::string> none_;
};

TEST(OrientedOrderTest, EachBatchHasOneOrientationAndEachStreamAllInTurn) {
  for (const auto& [wide, others, batch] : {std::tuple<int64_t, int64_t, int64_t>{37, 14, 4},
                                            {5, 60, 16},
                                            {3, 2, 4},
                                            {10, 0, 3},
                                            {0, 11, 11},
                                            {1, 16, 8}}) {
    const Recorded dataset(wide, others);
    const OrientedOrder order(dataset, batch, 5);
    ASSERT_EQ(order.images(), wide + others);
    const int64_t steps = 20 * (wide + others) / batch;
    for (int64_t step = 0; step < steps; ++step) {
      const std::vector<Chosen> chosen = order.of_step(step);
      ASSERT_EQ(std::ssize(chosen), batch);
      const bool is_wide = dataset.image_record(chosen[0].sample).is_wide();
      for (const Chosen& one : chosen) {
        ASSERT_EQ(dataset.image_record(one.sample).is_wide(), is_wide);
      }
    }
    // All images are seen about equally often. Within an orientation, counts differ by about one,
    // since the current permutation is not finished. Between orientations they can differ by more,
    // because images wait until they fill a batch of their orientation.
    std::map<int64_t, int64_t> times;
    std::set<std::pair<int64_t, int64_t>> keys;
    for (int64_t step = 0; step < steps; ++step) {
      for (const Chosen& one : order.of_step(step)) {
        ++times[one.sample];
        ASSERT_TRUE(keys.insert({one.sample, one.earlier_uses}).second)
            << "two uses of an image have the same keys for random draws";
      }
    }
    ASSERT_EQ(std::ssize(times), wide + others);
    for (const auto& [sample, count] : times) EXPECT_NEAR(count, 20, 2 + batch) << sample;
    for (int64_t sample = 0; sample < wide + others; ++sample) {
      ASSERT_TRUE(keys.contains({sample, 0})) << "every image must be seen";
    }
  }
}

TEST(OrientedOrderTest, ShareOfOrientationsIsThatOfTheSet) {
  const Recorded dataset(300, 100);
  const OrientedOrder order(dataset, 8, 1);
  int64_t wide = 0, changes = 0;
  bool before = false;
  constexpr int64_t kSteps = 1000;
  for (int64_t step = 0; step < kSteps; ++step) {
    const bool now = dataset.image_record(order.of_step(step)[0].sample).is_wide();
    wide += now ? 1 : 0;
    changes += now != before ? 1 : 0;
    before = now;
  }
  EXPECT_NEAR(wide, 750, 3);
  EXPECT_GT(changes, 250);  // orientations alternate often, instead of coming in two blocks
}

TEST(OrientedOrderTest, DependsOnTheSeedAloneAndChangesWithTheRound) {
  const Recorded dataset(40, 24);
  const OrientedOrder order(dataset, 8, 1), again(dataset, 8, 1), other(dataset, 8, 2);
  bool differs = false;
  for (int64_t step = 0; step < 40; ++step) {
    EXPECT_EQ(order.of_step(step), again.of_step(step));
    differs |= order.of_step(step) != other.of_step(step);
  }
  EXPECT_TRUE(differs);
  std::vector<int64_t> first, second;
  for (int64_t step = 0; step < 8; ++step) {
    for (const Chosen& one : order.of_step(step)) first.push_back(one.sample);
    for (const Chosen& one : order.of_step(step + 8)) second.push_back(one.sample);
  }
  EXPECT_NE(first, second);
  std::ranges::sort(first);
  std::ranges::sort(second);
  EXPECT_EQ(first, second) << "40 and 24 are multiples of 8, so 8 steps take every image once";
}

TEST(OrientedOrderTest, RanksTogetherHaveTheBatchOfOne) {
  const Recorded dataset(19, 14);
  const OrientedOrder order(dataset, 7, 3);
  for (int64_t step = 0; step < 30; ++step) {
    std::vector<Chosen> joined;
    for (int64_t rank = 0; rank < 3; ++rank) {
      const std::vector<Chosen> part = order.of_step(step, {rank, 3});
      joined.insert(joined.end(), part.begin(), part.end());
    }
    EXPECT_EQ(joined, order.of_step(step));
  }
}

TEST(OrientedOrderTest, AnyStepIsFoundAtOnce) {
  const Recorded dataset(80'000, 37'266);
  const OrientedOrder order(dataset, 32, 3);
  const Stopwatch watch;
  for (int64_t step = 0; step < 1'000'000'000; step += 1'000'003) order.of_step(step);
  EXPECT_LT(watch.seconds(), 2);
}

TEST(OrientedOrderTest, ImagesWithoutObjectsAreNotInIt) {
  const test::DrawnObjects dataset(30, {}, {0, 3, 7, 8});
  const OrientedOrder order(dataset, 4, 1);
  EXPECT_EQ(order.images(), 26);
  std::set<int64_t> seen;
  for (int64_t step = 0; step < 60; ++step) {
    for (const Chosen& one : order.of_step(step)) seen.insert(one.sample);
  }
  EXPECT_EQ(seen.size(), 26u);
  for (const int64_t bare : {0, 3, 7, 8}) EXPECT_FALSE(seen.contains(bare));
  KeyedRandom random(1, Purpose::kSubstitute, 0, 0);
  for (int i = 0; i < 200; ++i) {
    const int64_t other = order.random_of_same_group(5, random);
    EXPECT_TRUE(dataset.image_record(other).is_wide());
    EXPECT_TRUE(seen.contains(other));
  }
  const test::DrawnObjects bare(2, {}, {0, 1});
  EXPECT_NE(test::data_error([&] { OrientedOrder(bare, 1, 1); }).find("none of 2 images"),
            std::string::npos);
}

}  // namespace
}  // namespace fcm::loader
