#include "fcm/base/stats.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>

namespace fcm {
namespace {

TEST(Stats, TheMedianIsOneThatWasMeasured) {
  EXPECT_EQ(median(std::vector<double>{3}), 3);
  EXPECT_EQ(median(std::vector<double>{9, 1, 4}), 4);
  EXPECT_EQ(median(std::vector<double>{4, 1, 9, 2}), 4);  // the upper of the two middle values
  EXPECT_EQ(median(std::vector<int64_t>{5, -5, 0}), 0);
  EXPECT_THROW(median(std::vector<double>{}), std::logic_error);
}

TEST(Stats, SpreadHasTheEnds) {
  const Spread spread = spread_of({2, 7, 1, 5, 3});
  EXPECT_EQ(spread.min, 1);
  EXPECT_EQ(spread.median, 3);
  EXPECT_EQ(spread.max, 7);
  EXPECT_THROW(spread_of({}), std::logic_error);
}

}  // namespace
}  // namespace fcm
