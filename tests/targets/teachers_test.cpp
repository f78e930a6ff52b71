#include "fcm/targets/teachers.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "reference/teachers.h"
#include "tests/support/compare.h"
#include "tests/support/plain_tower.h"

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

// Compares the features of uint8 images with those of the reference towers.
TEST(Teachers, FeaturesAreThoseOfThePlainTowersInPlanOrder) {
  at::manual_seed(1);
  TargetOptions options = all_targets();
  const at::Tensor images = at::randint(256, {2, 16, 24, 3}, at::kByte);
  const masks::ViewPlan plan = masks::plan_from_noise(at::rand({2, 6}), {2, 3}, {3, 3}, 2);
  const at::Tensor pixels =
      ops::patchify(images, plan.order_BL, {{2, 2, 2}},
                    normalisation_of(of_kind(TeacherKind::kDino)), at::kFloat);
  for (const int64_t last_blocks : {1, 2}) {
    options.last_blocks = last_blocks;
    Teachers teachers(options, small_student());
    const Features features = teachers.features(images, pixels, plan, at::kFloat);
    ASSERT_EQ(features.size(), 3U);
    for (const char* name : {"clip", "dino"}) {
      const bool clip = std::string(name) == "clip";
      const TeacherOptions tower = tower_options(options, name, 2, 3);
      test::PlainTower plain;
      plain.norm_before = clip;
      plain.gelu = clip ? "quick_gelu" : "gelu";
      plain.epsilon = clip ? 1e-5 : 1e-6;
      const Teacher& fast = teachers.tower(name);
      for (const nn::Parameter& parameter : fast.parameters().all()) {
        plain.weights[parameter.name] = fast.parameters().published(parameter).to(at::kDouble);
      }
      const ops::Normalisation scale = normalisation_of(tower);
      const at::Tensor normalised =
          ((images.to(at::kFloat) / 255 - at::tensor(scale.mean, at::kFloat)) /
           at::tensor(scale.stddev, at::kFloat))
              .permute({0, 3, 1, 2});
      const auto plain_of = [&](int64_t depth) {
        plain.depth = depth;
        return test::plain_tokens(plain, normalised.to(at::kDouble));
      };
      at::Tensor wanted =
          reference::normalised_tokens(clip ? plain_of(2).last_BLD : plain_of(2).normed_BLD);
      if (last_blocks == 2) {
        wanted = (reference::normalised_tokens(plain_of(1).last_BLD) +
                  reference::normalised_tokens(plain_of(2).last_BLD)) /
                 2;
      }
      wanted = wanted.gather(1, plan.order_BL.unsqueeze(-1).expand_as(wanted));
      EXPECT_EQ(test::compare(features.at(name), wanted, 1e-4).description, "") << name;
      EXPECT_NE(test::compare(features.at(name), wanted.flip(1), 1e-2).description, "") << name;
    }
  }
}

TEST(Teachers, AreThoseOfTheOptions) {
  TargetOptions options = all_targets();
  options.dino_tower = "dinov3_tiny";
  Teachers teachers(options, small_student());
  EXPECT_EQ(teachers.tower("dino").options().kind, TeacherKind::kDinoV3);
  EXPECT_NE(teachers.ema(), nullptr);
  options.ema = 0;
  EXPECT_EQ(Teachers(options, small_student()).ema(), nullptr);
  // Values from a tower's file override the upstream values of its kind.
  TeacherOptions of_file = tower_options(options, "clip", 2, 3);
  of_file.mean = {0.1, 0.2, 0.3};
  const Teachers read(options, small_student(), at::kFloat, {{"clip", of_file}});
  EXPECT_EQ(read.tower("clip").options().mean, of_file.mean);
}

TEST(TargetOptions, TowersHaveNamesAndSizes) {
  TargetOptions options;
  for (const char* target : {"clip", "dino"}) {
    for (const std::string& name : tower_names(target)) {
      (target == std::string("clip") ? options.clip_tower : options.dino_tower) = name;
      const TeacherOptions tower = tower_options(options, target, 14, 14);
      EXPECT_EQ(target_of(tower.kind), std::string(target)) << name;
      EXPECT_EQ(name_of_size(tower), name);
      EXPECT_EQ(tower.dim % tower.heads, 0) << name;
      EXPECT_EQ(tower.rows / tower.stride, 14) << name;
      EXPECT_EQ(is_random_tower(options, target), name.find("tiny") != std::string::npos);
    }
  }
  EXPECT_EQ(tower_options(options, "dino", 1, 1).registers, 4);  // the loop ended at dinov3_tiny
  options.clip_tower = "siglip_so400m14";
  const TeacherOptions so400m = tower_options(options, "clip", 1, 1);
  EXPECT_EQ(static_cast<int64_t>(so400m.mlp_ratio * static_cast<double>(so400m.dim)), 4304);
  EXPECT_EQ(tower_feature(options, "clip"), Feature::kNormed);
}

// A tower gets images resized to its own patch size: 2 x 2 patches of 16 pixels (32 x 32) become
// 2 x 2 patches of 14 pixels (28 x 28).
TEST(Teachers, ImagesAreResizedWherePatchesHaveAnotherSide) {
  TeacherOptions options = of_kind(TeacherKind::kClip);
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
  at::Tensor dark = even.clone();  // its right half, the right patches, is black
  dark.slice(2, 16).zero_();
  const at::Tensor halves = tower_pixels(dark, plan.order_BL, teacher);
  EXPECT_NEAR(halves[0][0][0][0].item<double>(), red, 1e-5);
  EXPECT_NEAR(halves[0][1][0][13 * 3].item<double>(), -0.48145466 / 0.26862954, 1e-5);
}

}  // namespace
}  // namespace fcm::targets
