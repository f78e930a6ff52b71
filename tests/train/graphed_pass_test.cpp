// Forward and backward as recorded work. Here "recording" keeps the function and replaying calls
// it: what is shown is that nothing but the buffers of the pass carries data from call to call.
#include "fcm/train/graphed_pass.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/train/step.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

class KeptFunction final : public ops::RecordedWork {
 public:
  void record(const std::function<void()>& work) override {
    work_ = work;
    work_();  // a warm-up
  }
  void replay() override { work_(); }

 private:
  std::function<void()> work_;
};

// Pixels and a plan of some pictures; another seed makes others.
struct Pictures {
  Pictures(const Recipe& recipe, const models::MaskedAutoencoder& model, uint64_t seed) {
    const loader::Batch batch = random_batch(recipe);
    plan = masks::plan_for_samples(batch.sample_ids, seed, 0, model.grid(), recipe.masks)
               .to(model.device());
    const at::Tensor pictures = to_device(pictures_of(batch), model.device());
    pixels = pixels_of(pictures, plan, model.geometry(), recipe.data);
  }

  masks::ViewPlan plan;
  at::Tensor pixels;
};

// Loss and gradients of some passes one after another, by `pass`.
using Pass = std::function<at::Tensor(const at::Tensor&, const masks::ViewPlan&)>;
std::vector<at::Tensor> results_of(const Recipe& recipe, models::MaskedAutoencoder& model,
                                   const Pass& pass) {
  std::vector<at::Tensor> results;
  for (const uint64_t seed : {1, 2, 3}) {
    const Pictures pictures(recipe, model, seed);
    model.parameters().flat_gradients().zero_();
    results.push_back(pass(pictures.pixels, pictures.plan).detach().cpu());
    results.push_back(model.parameters().flat_gradients().cpu().clone());
    const at::NoGradGuard no_grad;
    model.parameters().flat_values().add_(model.parameters().flat_gradients(), -1e-3);
  }
  return results;
}

std::vector<at::Tensor> eager_results(const Recipe& recipe, at::Device device) {
  models::MaskedAutoencoder model(autoencoder_options(recipe), 0, device);
  return results_of(recipe, model, [&](const at::Tensor& pixels, const masks::ViewPlan& plan) {
    const at::Tensor loss = model.forward(pixels, plan, at::kFloat).loss;
    torch::autograd::backward({loss}, {});
    return loss;
  });
}

std::vector<at::Tensor> graphed_results(const Recipe& recipe, at::Device device,
                                        std::unique_ptr<ops::RecordedWork> recorded) {
  models::MaskedAutoencoder model(autoencoder_options(recipe), 0, device);
  GraphedPass pass(std::move(recorded), model.parameters().flat_gradients(),
                   [&](const at::Tensor& pixels, const masks::ViewPlan& plan) {
                     return model.forward(pixels, plan, at::kFloat).loss;
                   });
  return results_of(recipe, model, [&](const at::Tensor& pixels, const masks::ViewPlan& plan) {
    return pass(pixels, plan);
  });
}

bool same(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), test::same_bits);
}

TEST(GraphedPass, GivesWhatTheSameWorkGivesUnrecorded) {
  const Recipe recipe = small_recipe();
  EXPECT_TRUE(same(graphed_results(recipe, at::kCPU, std::make_unique<KeptFunction>()),
                   eager_results(recipe, at::kCPU)));
}

// Negative control: what a recording forgets shows.
class Forgetful final : public ops::RecordedWork {
 public:
  void record(const std::function<void()>& work) override { work(); }
  void replay() override {}
};

TEST(GraphedPass, ARecordingThatDoesNothingIsNoticed) {
  const Recipe recipe = small_recipe();
  EXPECT_FALSE(same(graphed_results(recipe, at::kCPU, std::make_unique<Forgetful>()),
                    eager_results(recipe, at::kCPU)));
}

TEST(GraphedPass, OtherShapesDoNotFit) {
  Recipe recipe = small_recipe();
  models::MaskedAutoencoder model(autoencoder_options(recipe), 0);
  GraphedPass pass(std::make_unique<KeptFunction>(), model.parameters().flat_gradients(),
                   [&](const at::Tensor& pixels, const masks::ViewPlan& plan) {
                     return model.forward(pixels, plan, at::kFloat).loss;
                   });
  const Pictures six(recipe, model, 1);
  recipe.optim.batch_size = 4;
  const Pictures four(recipe, model, 1);
  EXPECT_TRUE(pass.fits(six.pixels));
  pass(six.pixels, six.plan);
  EXPECT_TRUE(pass.fits(six.pixels));
  EXPECT_FALSE(pass.fits(four.pixels));
  EXPECT_THROW(pass(four.pixels, four.plan), std::logic_error);
}

class GpuGraph : public test::GpuTest {};

TEST_F(GpuGraph, EqualsTheSameWorkUnrecorded) {
  const Recipe recipe = small_recipe();
  EXPECT_TRUE(same(graphed_results(recipe, at::kCUDA, ops::make_cuda_graph()),
                   eager_results(recipe, at::kCUDA)));
}

}  // namespace
}  // namespace fcm::train
