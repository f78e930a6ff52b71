#include "fcm/loader/in_order.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>

namespace fcm::loader {
namespace {

TEST(InOrder, ResultsArriveInOrderWithAnyThreads) {
  for (const int64_t threads : {0, 1, 2, 7, 100}) {
    for (const int64_t count : {0, 1, 5, 500}) {
      std::vector<int64_t> taken;
      for_each_in_order(
          count, threads,
          [](int64_t i) {
            if (i % 7 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
            return std::to_string(i * i);
          },
          [&](int64_t i, const std::string& square) {
            EXPECT_EQ(square, std::to_string(i * i));
            taken.push_back(i);
          });
      ASSERT_EQ(static_cast<int64_t>(taken.size()), count);
      EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end()));
    }
  }
}

TEST(InOrder, WorkStaysAFewResultsAhead) {
  std::atomic<int64_t> started{0};
  int64_t most = 0;
  for_each_in_order(
      500, 2, [&](int64_t) { return ++started; },
      [&](int64_t i, int64_t) {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        most = std::max(most, started - i);
      });
  EXPECT_LE(most, 16);  // 8 for each of 2 threads, including the one that the caller has
}

TEST(InOrder, TheFirstFaultArrivesAndEndsTheWork) {
  for (const int64_t threads : {1, 4}) {
    std::atomic<int64_t> started{0};
    int64_t taken = 0;
    const auto make = [&](int64_t i) {
      ++started;
      if (i >= 10) throw std::runtime_error(std::to_string(i));
      return i;
    };
    try {
      for_each_in_order(1000, threads, make, [&](int64_t, int64_t) { ++taken; });
      FAIL() << "it threw no error";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "10");
    }
    EXPECT_EQ(taken, 10);
    EXPECT_LT(started, 60);
    EXPECT_THROW(for_each_in_order(
                     1000, threads, [](int64_t i) { return i; },
                     [](int64_t i, int64_t) {
                       if (i == 3) throw std::logic_error("taker");
                     }),
                 std::logic_error);
  }
}

}  // namespace
}  // namespace fcm::loader
