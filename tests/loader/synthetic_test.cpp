#include "fcm/loader/dataset.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

TEST(Synthetic, SizesAndBalancedClasses) {
  const auto train = open_dataset("synthetic", Split::kTrain);
  const auto val = open_dataset("synthetic", Split::kVal);
  EXPECT_EQ(train->size(), 2048);
  EXPECT_EQ(val->size(), 512);
  EXPECT_EQ(train->classes().size(), 10u);
  std::vector<int> counts(10);
  for (int64_t i = 0; i < val->size(); ++i) counts.at(static_cast<size_t>(val->label(i)))++;
  for (const int count : counts) EXPECT_NEAR(count, 51, 1);
}

TEST(Synthetic, AlwaysTheSameAndNeverTwice) {
  const auto train = open_dataset("synthetic", Split::kTrain);
  const auto again = open_dataset("synthetic", Split::kTrain);
  const auto val = open_dataset("synthetic", Split::kVal);
  EXPECT_EQ(train->get(33, 3).pixels, again->get(33, 3).pixels);
  EXPECT_NE(train->get(33, 3).pixels, train->get(43, 3).pixels);
  EXPECT_NE(train->get(33, 3).pixels, val->get(33, 3).pixels);
  EXPECT_EQ(train->get(33, 1).channels, 1);
}

TEST(Synthetic, EveryPictureShowsTwoColoursApart) {
  const auto train = open_dataset("synthetic", Split::kTrain);
  for (int64_t i = 0; i < 200; ++i) {
    const image::Image grey = train->get(i, 1);
    const std::set<uint8_t> levels(grey.pixels.begin(), grey.pixels.end());
    ASSERT_EQ(levels.size(), 2u) << i;
    EXPECT_GT(*levels.rbegin() - *levels.begin(), 30) << i;
  }
}

// Changes from light to dark along rows and along columns tell the gratings apart, whatever the
// colours.
TEST(Synthetic, ClassesDiffer) {
  const auto train = open_dataset("synthetic", Split::kTrain);
  const auto changes = [&](int64_t index, int64_t step) {
    const image::Image grey = train->get(index, 1);
    int count = 0;
    for (int64_t i = 0; i + step < 64 * 64; ++i) {
      count += grey.pixels[static_cast<size_t>(i)] != grey.pixels[static_cast<size_t>(i + step)];
    }
    return count;
  };
  for (int64_t i = 0; i < 200; i += 10) {
    EXPECT_LT(changes(i, 1), changes(i, 64)) << "rows " << i;
    EXPECT_GT(changes(i + 1, 1), changes(i + 1, 64)) << "columns " << i;
    EXPECT_LT(changes(i + 2, 63), changes(i + 2, 65)) << "diagonals " << i;
  }
}

}  // namespace
}  // namespace fcm::loader
