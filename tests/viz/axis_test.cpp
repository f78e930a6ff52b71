#include "fcm/viz/axis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace fcm::viz {
namespace {

// Checks what must hold for every axis of data in low..high.
void expect_good(const Axis& axis, double low, double high) {
  EXPECT_TRUE(std::isfinite(axis.low) && std::isfinite(axis.high));
  EXPECT_LT(axis.low, axis.high);
  EXPECT_EQ(axis.ticks.size(), axis.labels.size());
  EXPECT_LE(axis.ticks.size(), 40u);
  EXPECT_TRUE(std::is_sorted(axis.ticks.begin(), axis.ticks.end()));
  const std::set<std::string> labels(axis.labels.begin(), axis.labels.end());
  EXPECT_EQ(labels.size(), axis.labels.size()) << "two ticks must not have the same label";
  for (const double value : {low, high, axis.low, axis.high}) {
    const double place = axis.place(value);
    EXPECT_TRUE(place >= 0 && place <= 1) << value << " is at " << place;
  }
  EXPECT_LE(axis.place(low), axis.place(high));
}

TEST(Axis, StandsOnRoundNumbers) {
  const Axis axis = linear_axis(0, 98, 5, true);
  EXPECT_EQ(axis.ticks, (std::vector<double>{0, 20, 40, 60, 80, 100}));
  EXPECT_EQ(axis.labels, (std::vector<std::string>{"0", "20", "40", "60", "80", "100"}));
  EXPECT_EQ(axis.high, 100);
}

TEST(Axis, LabelsShareUnitAndDecimals) {
  EXPECT_EQ(linear_axis(0, 200000, 4, false).labels,
            (std::vector<std::string>{"0", "50k", "100k", "150k", "200k"}));
  EXPECT_EQ(linear_axis(0.4, 0.6, 4, false).labels,
            (std::vector<std::string>{"0.40", "0.45", "0.50", "0.55", "0.60"}));
  EXPECT_EQ(linear_axis(0, 2e-5, 2, false).labels, (std::vector<std::string>{"0", "1e-5", "2e-5"}));
}

TEST(Axis, CountsHaveNoTicksBetweenWholeNumbers) {
  EXPECT_EQ(linear_axis(0, 3, 8, false, 1).ticks, (std::vector<double>{0, 1, 2, 3}));
  EXPECT_GT(linear_axis(0, 3, 8, false).ticks.size(), 4u);
}

TEST(Axis, TakesAnyRange) {
  const std::vector<double> values{-1.7e308,  -1e300, -1e10, -3.25,  -1e-300, 0,
                                   5e-324,    1e-310, 1e-12, 0.1,    1,       1 + 1e-13,
                                   12345.678, 1e15,   1e200, 1.7e308};
  for (const double low : values) {
    for (const double high : values) {
      if (low > high) continue;
      for (const bool to_ticks : {false, true}) {
        SCOPED_TRACE(testing::Message() << low << " to " << high);
        expect_good(linear_axis(low, high, 5, to_ticks), low, high);
      }
      if (low > 0) expect_good(log_axis(low, high, 5), low, high);
    }
  }
}

TEST(Axis, LogTicksArePowers) {
  const Axis axis = log_axis(0.5, 2e4, 6);
  EXPECT_EQ(axis.ticks, (std::vector<double>{1, 10, 100, 1000, 10000}));
  EXPECT_NEAR(log_axis(1, 100, 5).place(10), 0.5, 1e-12);
  EXPECT_NEAR(linear_axis(1, 100, 5, false).place(50.5), 0.5, 1e-12);
}

TEST(Axis, RefusesWhatCannotBeDrawn) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(linear_axis(nan, 1, 5, true), std::logic_error);
  EXPECT_THROW(linear_axis(2, 1, 5, true), std::logic_error);
  EXPECT_THROW(log_axis(0, 1, 5), std::logic_error);
}

}  // namespace
}  // namespace fcm::viz
