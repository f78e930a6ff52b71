#include "fcm/config/nearest.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace fcm::config {
namespace {

TEST(EditDistance, CountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("raito", "ratio"), 1u);
  EXPECT_EQ(edit_distance("ca", "abc"), 3u);  // no further edit within a swapped pair
}

TEST(EditDistance, IsSymmetricAndZeroOnlyForEqualWords) {
  EXPECT_TRUE(rc::check([](const std::string& a, const std::string& b) {
    RC_ASSERT(edit_distance(a, b) == edit_distance(b, a));
    RC_ASSERT((edit_distance(a, b) == 0) == (a == b));
    RC_ASSERT(edit_distance(a, b) <= std::max(a.size(), b.size()));
  }));
}

TEST(Nearest, OffersOnlyWhatMayBeMeant) {
  const std::vector<std::string> names{"pretrain", "probe", "knn"};
  EXPECT_EQ(nearest("pretrian", names), "pretrain");
  EXPECT_EQ(nearest("prob", names), "probe");
  EXPECT_EQ(nearest("visualise", names), std::nullopt);
  EXPECT_EQ(nearest("xyz", names), std::nullopt);
  EXPECT_EQ(nearest("", names), std::nullopt);
  EXPECT_EQ(nearest("knn", {}), std::nullopt);
}

}  // namespace
}  // namespace fcm::config
