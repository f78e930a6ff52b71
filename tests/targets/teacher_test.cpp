// Compares frozen towers with the reference in float64.
#include "fcm/targets/teacher.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

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

// Translates CLIP's upstream names to those of this program; other names are the same.
std::string name_here(const std::string& published) {
  const std::vector<std::pair<std::string, std::string>> parts{
      {"visual.", ""},
      {"class_embedding", "cls_token"},
      {"positional_embedding", "pos_embed"},
      {"conv1.", "patch_embed.proj."},
      {"ln_pre.", "norm_pre."},
      {"transformer.resblocks.", "blocks."},
      {"attn.in_proj_", "attn.qkv."},
      {"attn.out_proj.", "attn.proj."},
      {"ln_1.", "norm1."},
      {"ln_2.", "norm2."},
      {"mlp.c_fc.", "mlp.fc1."},
      {"mlp.c_proj.", "mlp.fc2."},
      {"ln_post.", "norm."}};
  std::string name = published;
  for (const auto& [theirs, ours] : parts) {
    if (const size_t at = name.find(theirs); at != std::string::npos) {
      name.replace(at, theirs.size(), ours);
    }
  }
  return name;
}

// Sets a parameter from an upstream tensor.
void set(Teacher& teacher, const std::string& published, const at::Tensor& value) {
  nn::Parameters& parameters = teacher.parameters();
  const nn::Parameter& parameter = parameters.find(name_here(published));
  parameters.set_published(parameter, value.view(parameter.published_shape));
}

// A tower, images of 2 x 3 patches, and an order of the patches that differs between the images.
// Weights have their upstream names.
Pair make(TeacherKind kind) {
  TeacherOptions options = of_kind(kind);
  options.rows = 16;
  options.cols = 24;
  options.stride = 8;
  options.dim = 24;
  options.depth = 3;
  options.heads = 2;
  options.mlp_ratio = 3;
  options.projected_dim = kind == TeacherKind::kClip ? 10 : 0;
  reference::TowerOptions plain;
  plain.tower = kind == TeacherKind::kDino ? reference::Tower::kDino : reference::Tower::kClip;
  plain.rows = options.rows;
  plain.cols = options.cols;
  plain.stride = options.stride;
  plain.dim = options.dim;
  plain.depth = options.depth;
  plain.heads = options.heads;
  plain.mlp_ratio = options.mlp_ratio;
  plain.projected_dim = 10;
  plain.compute = at::kDouble;
  Pair pair{plain, {}, Teacher(options, at::kDouble), {}, {}};
  for (const auto& [name, shape] : tower_names_and_shapes(plain)) {
    pair.weights[name] = test::procedural(name, kSeed, shape).to(at::kDouble);
    set(pair.fast, name, pair.weights.at(name));
  }
  if (kind == TeacherKind::kClip) {  // CLIP's patch embedding has no bias
    set(pair.fast, "patch_embed.proj.bias", at::zeros({options.dim}, at::kDouble));
  }
  pair.images =
      test::procedural("images", kSeed, {2, 3, options.rows, options.cols}).to(at::kDouble);
  pair.order_BL = test::procedural("noise", kSeed, {2, 6}).argsort(/*stable=*/true, 1);
  return pair;
}

void expect_near(const at::Tensor& got, const at::Tensor& wanted) {
  EXPECT_EQ(test::compare(got, wanted, 1e-12).description, "");
}

TEST(Teacher, HasThePublishedParameters) {
  for (const TeacherKind kind : {TeacherKind::kDino, TeacherKind::kClip}) {
    const Pair pair = make(kind);
    std::set<std::string> wanted, found;
    for (const auto& [name, shape] : tower_names_and_shapes(pair.plain_options)) {
      wanted.insert(name_here(name));
    }
    if (kind == TeacherKind::kClip) wanted.insert("patch_embed.proj.bias");  // constantly zero
    for (const nn::Parameter& one : pair.fast.parameters().all()) found.insert(one.name);
    EXPECT_EQ(found, wanted);
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

// Negative controls: features in another order of patches, and a weight with an error of 1e-6.
TEST(Teacher, MistakesAreNoticed) {
  for (const TeacherKind kind : {TeacherKind::kDino, TeacherKind::kClip}) {
    Pair pair = make(kind);
    const at::Tensor wanted = pair.plain().normed_BLD;
    EXPECT_NE(test::compare(pair.features(Feature::kNormed), wanted, 1e-12).description, "");
    const std::string name = kind == TeacherKind::kClip ? "visual.ln_post.weight" : "norm.weight";
    set(pair.fast, name, pair.weights.at(name) * (1 + 1e-6));
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

TEST(Teacher, ImagesMustDivideIntoPatches) {
  TeacherOptions options;
  options.rows = 200;
  EXPECT_THROW(Teacher{options}, Error);
}

}  // namespace
}  // namespace fcm::targets
