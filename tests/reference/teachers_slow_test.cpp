// The published image towers in their full size against samples stored from them.
#include <gtest/gtest.h>

#include "tests/reference/teacher_golden.h"

namespace fcm::reference {
namespace {

TEST(TeachersBase, EveryStoredTensor) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  for (const char* name : {"dino_vitb16", "clip_vitb16"}) {
    const TowerGolden golden = load_tower(name);
    const Comparison comparison = compare_tower(golden, golden.weights);
    EXPECT_LE(comparison.worst, 1) << name << " " << comparison.where;
  }
}

}  // namespace
}  // namespace fcm::reference
