#include "fcm/loader/target.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace fcm::loader {
namespace {

using Numbers = std::vector<int64_t>;

TEST(Targets, LabelsArePutInTheirPlacesAndLeftOut) {
  Targets targets(TargetKind::kLabel, 4);
  EXPECT_EQ(targets.labels(), (Numbers{-1, -1, -1, -1}));
  targets.set(2, Label{7});
  targets.set(0, Label{5});
  EXPECT_EQ(targets.labels(), (Numbers{5, -1, 7, -1}));
  targets.keep({0, 2, 3});
  EXPECT_EQ(targets, Targets(Numbers{5, 7, -1}));
  targets.keep({});
  EXPECT_EQ(targets.labels(), Numbers{});
}

TEST(Targets, NoneHaveNoLabels) {
  Targets none(TargetKind::kNone, 4);
  EXPECT_EQ(none, Targets());
  none.set(3, NoTarget{});
  none.keep({1});
  EXPECT_THROW(none.labels(), std::logic_error);
}

TEST(Targets, AnotherKindIsABrokenPromise) {
  EXPECT_THROW(Targets().set(0, Label{1}), std::logic_error);
  EXPECT_THROW(Targets(TargetKind::kLabel, 1).set(0, NoTarget{}), std::logic_error);
}

}  // namespace
}  // namespace fcm::loader
