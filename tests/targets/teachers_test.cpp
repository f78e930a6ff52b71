#include "fcm/targets/teachers.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "reference/teachers.h"
#include "tests/support/compare.h"

namespace fcm::targets {
namespace {

Student small_student() {
  Student student;
  student.encoder = {"custom", {2, 2, 2}, {8, 12, 16}, {1, 1, 3}, 2, {2, 2, 2}};
  student.grid = {2, 3};
  return student;
}

TargetOptions all_targets() {
  TargetOptions options;
  options.clip = options.dino = options.ema = 1;
  options.clip_tower = options.dino_tower = "tiny";
  return options;
}

TEST(TargetOptions, NamesAndWeights) {
  TargetOptions options;
  EXPECT_EQ(options.reconstructed(), (std::vector<std::string>{"rgb"}));
  EXPECT_TRUE(options.features().empty());
  options.mimic = "dino";
  options.ema = 0.25;
  EXPECT_EQ(options.reconstructed(), (std::vector<std::string>{"rgb", "ema"}));
  EXPECT_EQ(options.features(), (std::vector<std::string>{"ema", "dino"}));
  EXPECT_EQ(options.weight("ema"), 0.25);
  EXPECT_EQ(feature_dim(options, "ema", 123), 123);
  options.clip_tower = "vit_l14";
  EXPECT_EQ(feature_dim(options, "clip", 123), 1024);
  options.clip_feature = "projected";
  EXPECT_EQ(feature_dim(options, "clip", 123), 768);
  options.dino_tower = "vit_s16";
  EXPECT_EQ(feature_dim(options, "dino", 123), 384);
  EXPECT_EQ(tower_options(options, "clip", 14, 14).rows, 196);
}

// What each teacher makes of pictures as they come, against the towers in plain tensor calls.
TEST(Teachers, FeaturesAreThoseOfThePlainTowersInPlanOrder) {
  at::manual_seed(1);
  TargetOptions options = all_targets();
  const at::Tensor pictures = at::randint(256, {2, 16, 24, 3}, at::kByte);
  const masks::ViewPlan plan = masks::plan_from_noise(at::rand({2, 6}), {2, 3}, {3, 3}, 2);
  const at::Tensor pixels = ops::patchify(pictures, plan.order_BL, {{2, 2, 2}},
                                          normalisation_of(TeacherKind::kDino), at::kFloat);
  for (const int64_t last_blocks : {1, 2}) {
    options.last_blocks = last_blocks;
    Teachers teachers(options, small_student());
    const Features features = teachers.features(pictures, pixels, plan, at::kFloat);
    ASSERT_EQ(features.size(), 3U);
    for (const char* name : {"clip", "dino"}) {
      const bool clip = std::string(name) == "clip";
      const TeacherOptions tower = tower_options(options, name, 2, 3);
      reference::TowerOptions plain;
      plain.tower = clip ? reference::Tower::kClip : reference::Tower::kDino;
      plain.rows = tower.rows;
      plain.cols = tower.cols;
      plain.stride = tower.stride;
      plain.dim = tower.dim;
      plain.depth = tower.depth;
      plain.heads = tower.heads;
      plain.mlp_ratio = tower.mlp_ratio;
      plain.projected_dim = tower.projected_dim;
      reference::Weights weights;
      const Teacher& fast = teachers.tower(name);
      for (const nn::Parameter& parameter : fast.parameters().all()) {
        weights[parameter.name] = fast.parameters().published(parameter);
      }
      const ops::Normalisation scale = normalisation_of(tower.kind);
      const at::Tensor images =
          ((pictures.to(at::kFloat) / 255 - at::tensor(scale.mean, at::kFloat)) /
           at::tensor(scale.deviation, at::kFloat))
              .permute({0, 3, 1, 2});
      const reference::TowerResult result = reference::tower(weights, plain, images);
      at::Tensor wanted =
          reference::normalised_tokens(clip ? result.blocks.back() : result.normed_BLD);
      if (last_blocks == 2) {
        wanted = (reference::normalised_tokens(result.blocks[0]) +
                  reference::normalised_tokens(result.blocks[1])) /
                 2;
      }
      wanted = wanted.gather(1, plan.order_BL.unsqueeze(-1).expand_as(wanted));
      EXPECT_EQ(test::compare(features.at(name), wanted, 1e-4).description, "") << name;
      EXPECT_NE(test::compare(features.at(name), wanted.flip(1), 1e-2).description, "") << name;
    }
  }
}

TEST(Teachers, OnlyPublishedSizesNeedFiles) {
  TargetOptions options = all_targets();
  EXPECT_TRUE(Teachers(options, small_student()).of_files().empty());
  options.dino_tower = "vit_s16";
  Teachers teachers(options, small_student());
  ASSERT_EQ(teachers.of_files().size(), 1U);
  EXPECT_EQ(teachers.of_files().begin()->first, "dino");
  EXPECT_NE(teachers.ema(), nullptr);
  options.ema = 0;
  EXPECT_EQ(Teachers(options, small_student()).ema(), nullptr);
}

// A tower of 14 x 14 pixels a patch sees 224 pixels as 196.
TEST(Teachers, PicturesAreResizedWherePatchesHaveAnotherSide) {
  TeacherOptions options;
  options.kind = TeacherKind::kClip;
  options.rows = options.cols = 28;
  options.stride = 14;
  options.dim = 8;
  options.depth = 1;
  options.heads = 1;
  const Teacher teacher(options);
  const at::Tensor even = at::full({1, 32, 32, 3}, 51, at::kByte);
  const masks::ViewPlan plan = masks::full_plan(1, {2, 2});
  const at::Tensor pixels = tower_pixels(even, plan.order_BL, teacher);
  ASSERT_EQ(pixels.sizes(), (std::vector<int64_t>{1, 4, 1, 14 * 14 * 3}));
  const double red = (0.2 - 0.48145466) / 0.26862954;
  EXPECT_NEAR(pixels[0][3][0][0].item<double>(), red, 1e-5);
  EXPECT_NEAR(pixels[0][0][0][14 * 14 * 3 - 3].item<double>(), red, 1e-5);
  at::Tensor dark = even.clone();  // right half black: so are the right patches' far ends
  dark.slice(2, 16).zero_();
  const at::Tensor halves = tower_pixels(dark, plan.order_BL, teacher);
  EXPECT_NEAR(halves[0][0][0][0].item<double>(), red, 1e-5);
  EXPECT_NEAR(halves[0][1][0][13 * 3].item<double>(), -0.48145466 / 0.26862954, 1e-5);
}

}  // namespace
}  // namespace fcm::targets
