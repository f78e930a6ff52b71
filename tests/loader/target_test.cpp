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

TEST(Targets, MapsArePutInTheirPlacesAndLeftOut) {
  Targets targets(TargetKind::kMap, 3, 1, 2);
  using Bytes = std::vector<uint8_t>;
  EXPECT_EQ(targets.maps().classes_BHW, (Bytes{255, 255, 255, 255, 255, 255}));
  targets.set(2, ClassMap{1, 2, {7, 8}});
  targets.set(0, ClassMap{1, 2, {0, 255}});
  EXPECT_EQ(targets.maps().classes_BHW, (Bytes{0, 255, 255, 255, 7, 8}));
  EXPECT_EQ(targets.maps().rows, 1);
  EXPECT_EQ(targets.maps().cols, 2);
  targets.keep({0, 2});
  EXPECT_EQ(targets.maps().classes_BHW, (Bytes{0, 255, 7, 8}));
  EXPECT_THROW(targets.set(0, ClassMap{2, 1, {7, 8}}), std::logic_error);
  EXPECT_THROW(targets.set(0, Label{1}), std::logic_error);
  EXPECT_THROW(targets.labels(), std::logic_error);
  EXPECT_THROW(Targets(TargetKind::kLabel, 1).maps(), std::logic_error);
  EXPECT_THROW(Targets(TargetKind::kMap, 1), std::logic_error);
}

TEST(Targets, InstancesArePutInTheirPlacesAndLeftOut) {
  Targets targets(TargetKind::kInstances, 3);
  EXPECT_EQ(targets.instances(), std::vector<Instances>(3));
  const auto of_image = [](int64_t image) {
    Instances instances{image, 5, 6, {}};
    instances.instances.resize(static_cast<size_t>(image));
    return instances;
  };
  targets.set(2, of_image(4));
  targets.set(0, of_image(2));
  EXPECT_EQ(targets.instances(), (std::vector<Instances>{of_image(2), {}, of_image(4)}));
  targets.keep({0, 2});
  EXPECT_EQ(targets.instances(), (std::vector<Instances>{of_image(2), of_image(4)}));
  EXPECT_THROW(targets.set(0, Label{1}), std::logic_error);
  EXPECT_THROW(targets.labels(), std::logic_error);
  EXPECT_THROW(Targets(TargetKind::kLabel, 1).instances(), std::logic_error);
}

TEST(Targets, AnotherKindIsABrokenPromise) {
  EXPECT_THROW(Targets().set(0, Label{1}), std::logic_error);
  EXPECT_THROW(Targets(TargetKind::kLabel, 1).set(0, NoTarget{}), std::logic_error);
}

}  // namespace
}  // namespace fcm::loader
