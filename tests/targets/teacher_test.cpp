// Frozen towers against the published form, in float64.
#include "fcm/targets/teacher.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "fcm/ops/patchify/op.h"
#include "reference/teachers.h"
#include "tests/support/compare.h"
#include "tests/support/procedural.h"

namespace fcm::targets {
namespace {

constexpr uint64_t kSeed = 5;

struct Pair {
  reference::TowerOptions plain_options;
  reference::Weights weights;
  Teacher fast;
  at::Tensor images, order_BL;

  at::Tensor features(Feature feature, at::ScalarType compute = at::kDouble) const {
    return fast.features(ops::patchify_normalised(images, order_BL, fast.geometry()), order_BL,
                         feature, compute);
  }
  reference::TowerResult plain() const { return tower(weights, plain_options, images); }
  at::Tensor in_order(const at::Tensor& raster_BLD) const {
    return raster_BLD.gather(1, order_BL.unsqueeze(-1).expand_as(raster_BLD));
  }
};

// Pictures of 2 x 3 patches in another order each; weights of the published names.
Pair make(TeacherKind kind) {
  TeacherOptions options;
  options.kind = kind;
  options.rows = 16;
  options.cols = 24;
  options.stride = 8;
  options.dim = 24;
  options.depth = 3;
  options.heads = 2;
  options.mlp_ratio = 3;
  options.projected_dim = 10;
  reference::TowerOptions plain;
  plain.tower = kind == TeacherKind::kDino ? reference::Tower::kDino : reference::Tower::kClip;
  plain.rows = options.rows;
  plain.cols = options.cols;
  plain.stride = options.stride;
  plain.dim = options.dim;
  plain.depth = options.depth;
  plain.heads = options.heads;
  plain.mlp_ratio = options.mlp_ratio;
  plain.projected_dim = options.projected_dim;
  plain.compute = at::kDouble;
  Pair pair{plain, {}, Teacher(options, at::kDouble), {}, {}};
  for (const auto& [name, shape] : tower_names_and_shapes(plain)) {
    pair.weights[name] = test::procedural(name, kSeed, shape).to(at::kDouble);
    nn::Parameters& parameters = pair.fast.parameters();
    parameters.set_published(parameters.find(name), pair.weights.at(name));
  }
  pair.images =
      test::procedural("images", kSeed, {2, 3, options.rows, options.cols}).to(at::kDouble);
  pair.order_BL = test::procedural("noise", kSeed, {2, 6}).argsort(/*stable=*/true, 1);
  return pair;
}

void expect_near(const at::Tensor& got, const at::Tensor& wanted) {
  EXPECT_EQ(test::compare(got, wanted, 1e-12).description, "");
}

TEST(Teacher, HasThePublishedParametersInTheirOrder) {
  for (const TeacherKind kind : {TeacherKind::kDino, TeacherKind::kClip}) {
    const Pair pair = make(kind);
    const reference::NamesAndShapes names = tower_names_and_shapes(pair.plain_options);
    const std::vector<nn::Parameter>& parameters = pair.fast.parameters().all();
    ASSERT_EQ(parameters.size(), names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      EXPECT_EQ(parameters[i].name, names[i].first);
      EXPECT_EQ(parameters[i].published_shape, names[i].second);
    }
  }
}

TEST(Teacher, DinoEqualsThePublishedForm) {
  const Pair pair = make(TeacherKind::kDino);
  const reference::TowerResult plain = pair.plain();
  expect_near(pair.features(Feature::kTokens), pair.in_order(plain.blocks.back()));
  expect_near(pair.features(Feature::kNormed), pair.in_order(plain.normed_BLD));
  EXPECT_THROW(pair.features(Feature::kProjected), Error);
}

TEST(Teacher, ClipEqualsThePublishedForm) {
  const Pair pair = make(TeacherKind::kClip);
  const reference::TowerResult plain = pair.plain();
  expect_near(pair.features(Feature::kTokens), pair.in_order(plain.blocks.back()));
  expect_near(pair.features(Feature::kNormed), pair.in_order(plain.normed_BLD));
  expect_near(pair.features(Feature::kProjected), pair.in_order(plain.projected_BLP));
}

// The comparison itself: features of the patches beside, and a weight off by a millionth.
TEST(Teacher, MistakesAreNoticed) {
  for (const TeacherKind kind : {TeacherKind::kDino, TeacherKind::kClip}) {
    Pair pair = make(kind);
    const at::Tensor wanted = pair.plain().normed_BLD;
    EXPECT_NE(test::compare(pair.features(Feature::kNormed), wanted, 1e-12).description, "");
    const nn::Parameter& parameter = pair.fast.parameters().all()[5];
    pair.fast.parameters().set_published(parameter, pair.weights.at(parameter.name) * (1 + 1e-6));
    EXPECT_NE(
        test::compare(pair.features(Feature::kNormed), pair.in_order(wanted), 1e-12).description,
        "");
  }
}

TEST(Teacher, RecordsNoGradientAndRunsInTheComputeType) {
  for (const TeacherKind kind : {TeacherKind::kDino, TeacherKind::kClip}) {
    const Pair pair = make(kind);
    const at::Tensor features = pair.features(Feature::kNormed, at::kBFloat16);
    EXPECT_FALSE(features.requires_grad());
    EXPECT_EQ(features.scalar_type(), at::kBFloat16);
    const at::Tensor wanted = pair.in_order(pair.plain().normed_BLD);
    EXPECT_EQ(test::compare(features, wanted, 0.05).description, "");
    EXPECT_EQ(normalised_tokens(features).scalar_type(), at::kFloat);
  }
}

TEST(Teacher, TokensAreNormalisedAsInThePublishedForm) {
  const at::Tensor tokens = test::procedural("images", kSeed, {2, 6, 24}).to(at::kDouble);
  expect_near(normalised_tokens(tokens), reference::normalised_tokens(tokens));
}

TEST(Teacher, PicturesMustDivideIntoPatches) {
  TeacherOptions options;
  options.rows = 200;
  EXPECT_THROW(Teacher{options}, Error);
}

}  // namespace
}  // namespace fcm::targets
