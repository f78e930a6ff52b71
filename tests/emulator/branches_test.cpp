// Fused operators and a whole model. The emulator runs their CUDA kernels; the CPU computes the
// matrix products that no kernel of this program computes.
#include "fcm/models/masked_autoencoder.h"
#include "fcm/ops/cases.h"
#include "tests/emulator/emulated.h"
#include "tests/models/small_model.h"

namespace fcm {
namespace {

using test::emulator::EmulatedCuda;
using test::emulator::expect_cases;

TEST(EmulatedBranches, EqualTheReference) { expect_cases(ops::branches_cases(), 1e5); }

TEST(EmulatedNormLinear, EqualsTheReference) { expect_cases(ops::norm_linear_cases(), 1e5); }

// The loss and every gradient of a small model, from uint8 images.
std::vector<at::Tensor> loss_and_gradients(const models::Setting& setting, at::ScalarType compute) {
  const models::AutoencoderOptions options = models::small_options(setting);
  const at::ScalarType parameters = compute == at::kDouble ? at::kDouble : at::kFloat;
  models::MaskedAutoencoder model(options, 11, parameters);
  const masks::MaskOptions mask_options{setting.ratio, {setting.kept}};
  const auto sizes = masks::view_sizes(model.grid().patches(), mask_options);
  const at::Tensor noise = ops::case_values({2, model.grid().patches()}, at::kDouble, 5);
  const masks::ViewPlan plan =
      masks::plan_from_noise(noise, model.grid(), sizes, masks::kept_views(sizes, mask_options));
  const at::Tensor images =
      (ops::case_values({2, options.rows, options.cols, options.channels}, at::kDouble, 6, 60) +
       128)
          .clamp(0, 255)
          .to(at::kByte);
  ops::Normalisation normalisation;
  normalisation.mean.assign(static_cast<size_t>(options.channels), 0.45);
  normalisation.stddev.assign(static_cast<size_t>(options.channels), 0.23);
  const at::Tensor pixels =
      ops::patchify(images, plan.order_BL, model.geometry(), normalisation, parameters);
  const at::Tensor loss = model.forward(pixels, plan, compute).loss;
  torch::autograd::backward({loss}, {});
  std::vector<at::Tensor> results = {loss.detach()};
  for (const nn::Parameter& parameter : model.parameters().all()) {
    if (parameter.trainable) results.push_back(parameter.value.grad());
  }
  return results;
}

class EmulatedModel : public testing::TestWithParam<models::Setting> {
 protected:
  const test::OneThread one_thread_;
};

TEST_P(EmulatedModel, EqualsTheProcessorInFloat64) {
  const auto wanted = loss_and_gradients(GetParam(), at::kDouble);
  const EmulatedCuda emulated;
  const auto got = loss_and_gradients(GetParam(), at::kDouble);
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(test::compare(got[i], wanted[i], 1e-10).description, "") << i;
  }
}

TEST_P(EmulatedModel, GivesTheSameBitsTwiceInBfloat16) {
  const EmulatedCuda emulated;
  const auto first = loss_and_gradients(GetParam(), at::kBFloat16);
  const auto second = loss_and_gradients(GetParam(), at::kBFloat16);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(test::same_bits(first[i], second[i])) << i;
    EXPECT_TRUE(first[i].isfinite().all().item<bool>()) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, EmulatedModel,
                         testing::Values(models::Setting{"four_views", {4, 2, 2}, 4, 4, 0.75, 0},
                                         models::Setting{
                                             "unequal_one_kept", {2, 2, 2}, 5, 3, 0.75, 1},
                                         models::Setting{"vit", {8}, 4, 4, 0.75, 0}),
                         [](const auto& setting) { return setting.param.name; });

}  // namespace
}  // namespace fcm
