#include <rapidcheck.h>

#include <algorithm>
#include <numeric>

#include "fcm/loader/loader.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

TEST(SamplesOfStep, EachSampleAtMostOnceAnEpochAndAllButTheRest) {
  EXPECT_TRUE(rc::check([] {
    const auto size = *rc::gen::inRange<int64_t>(1, 700);
    const auto batch = *rc::gen::inRange<int64_t>(1, size + 1);
    const auto seed = *rc::gen::arbitrary<uint64_t>();
    const auto epoch = *rc::gen::inRange<int64_t>(0, 1000);
    const int64_t steps = size / batch;
    std::vector<int64_t> seen;
    for (int64_t step = epoch * steps; step < (epoch + 1) * steps; ++step) {
      const auto samples = samples_of_step(size, batch, seed, step);
      RC_ASSERT(static_cast<int64_t>(samples.size()) == batch);
      seen.insert(seen.end(), samples.begin(), samples.end());
    }
    std::sort(seen.begin(), seen.end());
    RC_ASSERT(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
    RC_ASSERT(seen.front() >= 0 && seen.back() < size);
    RC_ASSERT(static_cast<int64_t>(seen.size()) == steps * batch);
  }));
}

TEST(SamplesOfStep, TheOrderDoesNotDependOnTheBatchSize) {
  std::vector<int64_t> by_ten, by_five;
  for (int64_t step = 0; step < 10; ++step) {
    const auto samples = samples_of_step(100, 10, 3, step);
    by_ten.insert(by_ten.end(), samples.begin(), samples.end());
  }
  for (int64_t step = 0; step < 20; ++step) {
    const auto samples = samples_of_step(100, 5, 3, step);
    by_five.insert(by_five.end(), samples.begin(), samples.end());
  }
  EXPECT_EQ(by_ten, by_five);
}

TEST(SamplesOfStep, SeedsAndEpochsReshuffle) {
  const auto first = samples_of_step(1000, 100, 1, 0);
  EXPECT_NE(first, samples_of_step(1000, 100, 2, 0));
  EXPECT_NE(first, samples_of_step(1000, 100, 1, 10));  // the first step of the next epoch
  std::vector<int64_t> sorted(100);
  std::iota(sorted.begin(), sorted.end(), 0);
  EXPECT_NE(first, sorted);
}

}  // namespace
}  // namespace fcm::loader
