#include "fcm/targets/ema_teacher.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "fcm/ops/patchify/op.h"
#include "fcm/targets/teacher.h"
#include "tests/support/compare.h"

namespace fcm::targets {
namespace {

Student student_of_three() {
  Student student;
  student.encoder = {"custom", {2, 2, 2}, {8, 12, 16}, {1, 1, 3}, 2, {2, 2, 2}};
  student.grid = {3, 4};
  return student;
}

void randomise(nn::Parameters& parameters) {
  const at::NoGradGuard no_gradient;
  for (const nn::Parameter& parameter : parameters.all()) {
    at::Tensor value = parameter.value;
    value.normal_(0, 0.3);
  }
}

TEST(EmaTeacher, FollowsItsFormulaOverTenSteps) {
  at::manual_seed(1);
  EmaTeacher student(student_of_three()), average(student_of_three());
  randomise(student.parameters());
  average.start_from(student.parameters());
  TargetOptions options;
  std::map<std::string, at::Tensor> wanted;
  for (const nn::Parameter& parameter : student.parameters().all()) {
    EXPECT_TRUE(test::same_bits(average.parameters().find(parameter.name).value, parameter.value));
    wanted[parameter.name] = parameter.value.detach().to(at::kDouble);
  }
  for (int64_t step = 0; step < 10; ++step) {
    randomise(student.parameters());
    const double momentum = ema_momentum(options, step, 10);
    average.follow(student.parameters(), momentum);
    for (const nn::Parameter& parameter : student.parameters().all()) {
      at::Tensor& value = wanted[parameter.name];
      value = momentum * value + (1 - momentum) * parameter.value.detach().to(at::kDouble);
    }
  }
  for (const nn::Parameter& parameter : average.parameters().all()) {
    EXPECT_EQ(test::compare(parameter.value, wanted[parameter.name], 1e-6).description, "")
        << parameter.name;
    EXPECT_NE(test::compare(parameter.value, student.parameters().find(parameter.name).value, 1e-2)
                  .description,
              "");
  }
}

TEST(EmaTeacher, MomentumRisesAlongHalfACosine) {
  TargetOptions options;
  options.ema_momentum = 0.996;
  options.ema_last_momentum = 1;
  EXPECT_DOUBLE_EQ(ema_momentum(options, 0, 100), 0.996);
  EXPECT_DOUBLE_EQ(ema_momentum(options, 50, 100), 0.998);
  EXPECT_DOUBLE_EQ(ema_momentum(options, 100, 100), 1);
  EXPECT_DOUBLE_EQ(ema_momentum(options, 25, 100),
                   1 - 0.004 * (1 + std::cos(std::numbers::pi / 4)) / 2);
}

// The features do not depend on the student's masks or on the order of patches.
TEST(EmaTeacher, SeesEveryPatchInTheOrderOfThePlan) {
  at::manual_seed(2);
  EmaTeacher teacher(student_of_three(), at::kDouble);
  randomise(teacher.parameters());
  const at::Tensor images = at::randn({2, 3, 24, 32}, at::kDouble);
  const ops::PatchGeometry geometry{student_of_three().encoder.strides};
  const auto features = [&](const masks::ViewPlan& plan, int64_t last_blocks) {
    return teacher.features(ops::patchify_normalised(images, plan.order_BL, geometry), plan,
                            last_blocks, at::kDouble);
  };
  const masks::ViewPlan raster = masks::full_plan(2, {3, 4});
  const masks::ViewPlan masked = masks::plan_from_noise(at::rand({2, 12}), {3, 4}, {3, 3, 3, 3}, 4);
  for (const int64_t last_blocks : {1, 2}) {
    const at::Tensor wanted = features(raster, last_blocks);
    const at::Tensor order_BLC = masked.order_BL.unsqueeze(-1).expand({-1, -1, 16});
    const at::Tensor got = features(masked, last_blocks);
    EXPECT_EQ(test::compare(got, wanted.gather(1, order_BLC), 1e-12).description, "");
    EXPECT_FALSE(got.requires_grad());
  }
  EXPECT_NE(test::compare(features(raster, 1), features(raster, 2), 1e-2).description, "");
  const at::Tensor tokens = features(masked, 1);
  EXPECT_NEAR(tokens.mean(-1).abs().max().item<double>(), 0, 1e-12);
}

TEST(EmaTeacher, SpreadTellsWhetherTokensDiffer) {
  const at::Tensor token = at::tensor(std::vector<double>{1, -1, 1, -1});
  const Spread same = spread_of(token.expand({2, 6, 4}));
  EXPECT_EQ(same.mean, 0);
  at::Tensor varied = token.expand({2, 6, 4}).clone();
  varied.select(2, 1).slice(1, 0, 3).fill_(1);  // half of the tokens differ in one of 4 dimensions
  const Spread some = spread_of(varied);
  EXPECT_DOUBLE_EQ(some.mean, 0.25);
  EXPECT_EQ(some.least, 0);
}

}  // namespace
}  // namespace fcm::targets
