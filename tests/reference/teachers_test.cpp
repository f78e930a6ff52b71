// The published image towers against tensors stored from them.
#include "reference/teachers.h"

#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "tests/reference/teacher_golden.h"
#include "tests/support/compare.h"

namespace fcm::reference {
namespace {

class Teachers : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  }
};

TEST_P(Teachers, HaveThePublishedParameters) {
  const TowerGolden golden = load_tower(GetParam());
  const NamesAndShapes names = tower_names_and_shapes(golden.options);
  ASSERT_EQ(names.size(), golden.about.at("parameters").size());
  for (const auto& [name, shape] : names) {
    EXPECT_EQ(golden.about.at("parameters").at(name).get<std::vector<int64_t>>(), shape) << name;
    const auto stored = golden.stored.find("state." + name);
    if (stored == golden.stored.end()) continue;
    EXPECT_TRUE(test::same_bits(golden.weights.at(name), stored->second)) << name;
  }
}

TEST_P(Teachers, EveryStoredTensor) {
  const TowerGolden golden = load_tower(GetParam());
  const Comparison comparison = compare_tower(golden, golden.weights);
  EXPECT_LE(comparison.worst, 1) << comparison.where;
}

// The comparison itself: two blocks' products changed places, or one bias is a thousandth off.
TEST_P(Teachers, MistakesAreNoticed) {
  const TowerGolden golden = load_tower(GetParam());
  const bool clip = golden.options.tower == Tower::kClip;
  const std::string block = clip ? "visual.transformer.resblocks." : "blocks.";
  const std::string product = clip ? ".mlp.c_fc.weight" : ".mlp.fc1.weight";
  Weights swapped = golden.weights;
  std::swap(swapped.at(block + "2" + product), swapped.at(block + "3" + product));
  EXPECT_GT(compare_tower(golden, swapped).worst, 1);
  Weights shifted = golden.weights;
  at::Tensor& bias = shifted.at(block + (clip ? "1.ln_1.bias" : "1.norm1.bias"));
  bias = bias + 0.001;
  EXPECT_GT(compare_tower(golden, shifted).worst, 1);
}

INSTANTIATE_TEST_SUITE_P(Published, Teachers, testing::Values("dino_tiny", "clip_tiny"),
                         [](const auto& test) { return test.param; });

TEST(TeacherErrors, SayWhatDoesNotFit) {
  TowerOptions options = tower_options("dino_tiny");
  options.rows = 60;
  EXPECT_THROW(tower({}, options, at::zeros({1, 3, 60, 64})), Error);
  EXPECT_THROW(tower({}, tower_options("clip_tiny"), at::zeros({1, 3, 64, 64})), Error);
}

}  // namespace
}  // namespace fcm::reference
