#include "fcm/eval/rate_sweep.h"

#include <gtest/gtest.h>

#include <limits>

#include "fcm/base/error.h"
#include "fcm/eval/linear_probe.h"
#include "tests/eval/synthetic.h"

namespace fcm::eval {
namespace {

constexpr int64_t kClasses = 10;

struct Sets {
  Gaussians train, test;
};

Sets clouds() {
  const at::Tensor centers_CD = normal_numbers({kClasses, 32}, 1) * 0.45;
  return {gaussians(centers_CD, 4000, 2), gaussians(centers_CD, 2000, 3)};
}

SweepResult run_sweep(const Sets& sets, const SweepOptions& options = {}) {
  return rate_sweep(sets.train.features_ND, sets.train.labels_N, sets.test.features_ND,
                    sets.test.labels_N, kClasses, options);
}

TEST(RateSweep, ComesNearTheOptimum) {
  const Sets sets = clouds();
  const ProbeResult optimum = linear_probe(sets.train.features_ND, sets.train.labels_N,
                                           sets.test.features_ND, sets.test.labels_N, kClasses);
  const SweepResult result = run_sweep(sets);
  EXPECT_NEAR(result.top1, optimum.top1, 1.5);
  EXPECT_EQ(result.images, 2000);
  // Negative control: with random labels the accuracy is near chance.
  Sets shuffled = sets;
  shuffled.train.labels_N = at::randint(kClasses, {4000}, at::detail::createCPUGenerator(4),
                                        at::TensorOptions(at::kLong));
  EXPECT_LT(run_sweep(shuffled).top1, 20);
}

TEST(RateSweep, ARateThatIsFarOffIsNotChosen) {
  SweepOptions options;
  options.rates = {1e38, 0.1};  // overflows
  const SweepResult result = run_sweep(clouds(), options);
  EXPECT_EQ(result.rate, 0.1);
  ASSERT_EQ(result.held_out_top1.size(), 2u);
  EXPECT_GT(result.held_out_top1[1], result.held_out_top1[0] + 10);
}

TEST(RateSweep, RatesDoNotDisturbEachOther) {
  SweepOptions alone, among;
  alone.rates = {0.1};
  among.rates = {1e38, 0.1};
  const Sets sets = clouds();
  const SweepResult one = run_sweep(sets, alone), two = run_sweep(sets, among);
  EXPECT_NEAR(two.top1, one.top1, 0.1);  // matrix products of other shapes round differently
  EXPECT_EQ(two.rate, 0.1);
}

TEST(RateSweep, SortedClassesAndOtherSizesOfFeaturesDoNoHarm) {
  Sets sets = clouds();
  const double before = run_sweep(sets).top1;
  const at::Tensor order = sets.train.labels_N.argsort();
  sets.train = {sets.train.features_ND.index_select(0, order) * 1e3 + 5,
                sets.train.labels_N.index_select(0, order)};
  sets.test.features_ND = sets.test.features_ND * 1e3 + 5;
  EXPECT_NEAR(run_sweep(sets).top1, before, 1);
}

TEST(RateSweep, RefusesWhatIsNotFinite) {
  Sets sets = clouds();
  sets.train.features_ND[3][4] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(run_sweep(sets), Error);
}

}  // namespace
}  // namespace fcm::eval
