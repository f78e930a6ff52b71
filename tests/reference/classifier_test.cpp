// Tests names, drop path and errors of the reference classifiers; parity compares their tensors.
#include "reference/classifier.h"

#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "tests/reference/classifier_golden.h"

namespace fcm::reference {
namespace {

class Classifier : public testing::TestWithParam<std::string> {};

TEST_P(Classifier, HasThePublishedParametersInTheirOrder) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  const ClassifierGolden loaded = load_classifier(GetParam() + ".golden.safetensors");
  const NamesAndShapes names = classifier_names_and_shapes(loaded.options);
  ASSERT_EQ(names.size(), loaded.names.size());
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(names[i].first, loaded.names[i]);
}

INSTANTIATE_TEST_SUITE_P(Published, Classifier,
                         testing::Values("convvit_tiny_gap", "convvit_tiny_token0", "vit_tiny_gap",
                                         "vit_tiny_cls"),
                         [](const auto& instance) { return instance.param; });

int64_t elements(const ClassifierOptions& options) {
  int64_t sum = 0;
  for (const auto& [name, shape] : classifier_names_and_shapes(options)) {
    sum += c10::multiply_integers(shape);
  }
  return sum;
}

TEST(ClassifierNames, BaseSizesHaveThePublishedCounts) {
  EXPECT_EQ(elements({}), 85'374'824);
  ClassifierOptions vit;
  vit.kind = Kind::kVit;
  vit.strides = {16};
  vit.dims = {768};
  vit.depths = {12};
  vit.mlp_ratios = {4};
  EXPECT_EQ(elements(vit), 86'567'656);  // as MAE's vit_base_patch16 with a head of 1000 classes
}

ClassifierOptions small_options() {
  ClassifierOptions options;
  options.rows = 48;  // 3 x 5 patches
  options.cols = 80;
  options.dims = {8, 12, 16};
  options.depths = {1, 1, 2};
  options.heads = 2;
  options.mlp_ratios = {2, 2, 2};
  options.classes = 5;
  options.compute = at::kDouble;
  return options;
}

Weights doubles(const Weights& weights) {
  Weights converted;
  for (const auto& [name, value] : weights) converted[name] = value.to(at::kDouble);
  return converted;
}

TEST(ClassifierDropPath, LeavesOutBranchesAndScalesTheRest) {
  const ClassifierOptions options = small_options();
  const Weights weights = doubles(classifier_weights(options, 3));
  const at::Tensor images = test::procedural("images", 3, {2, 3, 48, 80}).to(at::kDouble);
  const at::Tensor keep = at::ones({2}), drop = at::zeros({2});
  const auto tokens = [&](const nn::DropPath& drop_path, const Weights& with) {
    Tensors seen;
    classify(with, options, images, drop_path,
             [&](const std::string& name, const at::Tensor& value) { seen[name] = value; });
    return seen;
  };
  const nn::DropPath all_kept(4, nn::BranchScales{keep, keep});
  const Tensors plain = tokens({}, weights), kept = tokens(all_kept, weights);
  EXPECT_TRUE(plain.at("fc_norm").equal(kept.at("fc_norm")));

  const Tensors none = tokens(nn::DropPath(4, nn::BranchScales{drop, drop}), weights);
  EXPECT_TRUE(none.at("blocks1.0").equal(none.at("patch_embed1")));
  EXPECT_TRUE(none.at("blocks3.1").equal(none.at("blocks3_in")));

  // Doubling one image's scale of the second branch in the last block has the same effect on this
  // image as doubling the weights of the branch.
  nn::DropPath twice = all_kept;
  twice[3].second_B = at::tensor({1.0F, 2.0F});
  Weights doubled = weights;
  doubled["blocks3.1.mlp.fc2.weight"] = weights.at("blocks3.1.mlp.fc2.weight") * 2;
  doubled["blocks3.1.mlp.fc2.bias"] = weights.at("blocks3.1.mlp.fc2.bias") * 2;
  const at::Tensor got = tokens(twice, weights).at("blocks3.1");
  EXPECT_TRUE(got[0].equal(plain.at("blocks3.1")[0]));
  EXPECT_TRUE(got[1].allclose(tokens({}, doubled).at("blocks3.1")[1], 1e-12, 1e-13));
  EXPECT_FALSE(got[1].allclose(plain.at("blocks3.1")[1], 1e-3, 1e-3));
}

TEST(ClassifierMistakes, HaveTheirExitCodes) {
  ClassifierOptions options = small_options();
  options.rows = 50;
  try {
    classify({}, options, at::zeros({1, 3, 50, 80}));
    FAIL() << "50 rows must be refused: patches do not divide them";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
  }
  options.rows = 48;
  try {
    classify({}, options, at::zeros({1, 3, 48, 80}));
    FAIL() << "missing weights must be refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kCheckpoint);
  }
}

}  // namespace
}  // namespace fcm::reference
