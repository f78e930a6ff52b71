// Tests properties of Swin for which no results are stored: views are independent, mask tokens
// replace hidden patches, and the storage order of patches has no effect.
#include "fcm/encoder/swin.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <numeric>

#include "fcm/encoder/registry.h"
#include "tests/support/compare.h"

namespace fcm::encoder {
namespace {

using test::compare;

constexpr masks::Grid kMap{3, 4};

EncoderOptions two_stages() { return {"custom", {2, 2}, {8, 16}, {2, 3}, {2, 4}, {2, 2}, 1e-5, 4}; }

struct BuiltEncoder {
  // The default initialisation of linear layers depends on `mask_token`. An explicit `products`
  // gives encoders with and without a mask token the same weights.
  explicit BuiltEncoder(bool mask_token, nn::Init products = Embeddings().products)
      : parameters(std::make_unique<nn::Parameters>(5, at::kDouble)) {
    const nn::Scope scope(*parameters);
    Embeddings embeddings = add_embeddings(scope, "swin", 16, kMap, false);
    embeddings.products = products;
    if (mask_token) add_mask_token(scope, two_stages(), embeddings);
    encoder = make_encoder("swin", scope, two_stages(), 3, embeddings, {.norm = true});
    parameters->flatten();
    at::manual_seed(1);
    pixels = at::randn({2, 12, 4, 12}, at::kDouble);  // patches of 4 x 4 pixels in 2 x 2 cells
  }
  std::unique_ptr<nn::Parameters> parameters;
  std::unique_ptr<Encoder> encoder;
  at::Tensor pixels;
};

masks::ViewPlan plan_of(double ratio, bool all_views) {
  const std::vector<int64_t> ids{3, 8};
  masks::MaskOptions options;
  options.ratio = ratio;
  options.views.count = all_views ? 0 : 1;
  return masks::plan_for_samples(ids, 7, 0, kMap, options);
}

// One pass over all complementary views equals separate passes, up to rounding.
TEST(Swin, ViewsInOnePassAreThoseOfPassesOfTheirOwn) {
  const BuiltEncoder built(/*mask_token=*/false);
  const masks::ViewPlan all = plan_of(0.75, true);
  const Features together = (*built.encoder)(built.pixels, all);
  int64_t first = 0;
  for (const int64_t size : all.sizes) {
    // A pass in which only this view is kept; its patches come first.
    const at::Tensor order_BL = all.order_BL.roll(-first, 1);
    masks::ViewPlan alone = masks::plan_from_noise(
        order_BL.argsort(/*dim=*/int64_t{1}).to(at::kDouble), kMap, {size, 12 - size}, 1);
    const Features one = (*built.encoder)(built.pixels.roll(-first, 1), alone);
    EXPECT_EQ(
        compare(together.latent_BKC.narrow(1, first, size), one.latent_BKC, 1e-12).description, "");
    first += size;
  }
}

TEST(Swin, GradientsOfPixelsOfOtherViewsAreZero) {
  const BuiltEncoder built(/*mask_token=*/false);
  const masks::ViewPlan all = plan_of(0.75, true);
  at::Tensor pixels = built.pixels.clone().requires_grad_(true);
  const Features features = (*built.encoder)(pixels, all);
  const int64_t size = all.sizes[0];
  torch::autograd::backward({features.latent_BKC.narrow(1, 0, size).square().sum()}, {});
  EXPECT_GT(pixels.grad().narrow(1, 0, size).abs().amax({2, 3}).min().item<double>(), 0);
  EXPECT_EQ(pixels.grad().slice(1, size).abs().max().item<double>(), 0);
}

TEST(Swin, HiddenPixelsBehindMaskTokensDoNotMatter) {
  const BuiltEncoder built(/*mask_token=*/true);
  const masks::ViewPlan plan = plan_of(0.5, false);
  at::Tensor pixels = built.pixels.clone().requires_grad_(true);
  const Features features = (*built.encoder)(pixels, plan);
  EXPECT_EQ(features.latent_BKC.size(1), 12) << "with mask tokens, hidden patches have latents";
  torch::autograd::backward({features.latent_BKC.square().sum()}, {});
  EXPECT_GT(pixels.grad().narrow(1, 0, 6).abs().max().item<double>(), 0);
  EXPECT_EQ(pixels.grad().slice(1, 6).abs().max().item<double>(), 0);
  EXPECT_GT(built.parameters->find("mask_token").value.grad().abs().max().item<double>(), 0);
  // If nothing is hidden, the mask token has no effect.
  const BuiltEncoder plain(/*mask_token=*/false, nn::Init::kNormal02);
  const masks::ViewPlan full = masks::full_plan(2, kMap);
  EXPECT_EQ(compare((*built.encoder)(built.pixels, full).latent_BKC,
                    (*plain.encoder)(built.pixels, full).latent_BKC, 0)
                .description,
            "");
}

// Latents do not depend on the storage order of patches.
TEST(Swin, StorageOfPatchesDoesNotMatter) {
  const BuiltEncoder built(/*mask_token=*/true);
  const masks::ViewPlan plan = plan_of(0.5, false), full = masks::full_plan(2, kMap);
  const masks::ViewPlan shuffled = masks::unmasked(plan);
  const at::Tensor order = plan.order_BL.view({2, 12, 1, 1}).expand({2, 12, 4, 12});
  const Features one = (*built.encoder)(built.pixels, full);
  const Features other = (*built.encoder)(built.pixels.gather(1, order), shuffled);
  const at::Tensor back = plan.order_BL.unsqueeze(2).expand({2, 12, 16});
  EXPECT_EQ(compare(other.latent_BKC, one.latent_BKC.gather(1, back), 1e-12).description, "");
}

}  // namespace
}  // namespace fcm::encoder
