// Tests errors of the reference image towers; parity compares their tensors.
#include "reference/teachers.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"

namespace fcm::reference {
namespace {

TowerOptions tiny(Tower tower) {
  TowerOptions options;
  options.tower = tower;
  options.rows = options.cols = 64;
  options.dim = 48;
  options.depth = 6;
  options.heads = 3;
  options.projected_dim = 40;
  return options;
}

TEST(TeacherErrors, SayWhatDoesNotFit) {
  TowerOptions options = tiny(Tower::kDino);
  options.rows = 60;
  EXPECT_THROW(tower({}, options, at::zeros({1, 3, 60, 64})), Error);
  EXPECT_THROW(tower({}, tiny(Tower::kClip), at::zeros({1, 3, 64, 64})), Error);
}

}  // namespace
}  // namespace fcm::reference
