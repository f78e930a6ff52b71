// Speed of a training step: this program's model, and the published form, alternating in one run.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/fused_adamw.h"
#include "bench/learner_step.h"
#include "bench/step_timing.h"
#include "fcm/base/error.h"
#include "fcm/models/inputs.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/learners/pretrain.h"
#include "reference/reference.h"

namespace fcm::bench {
namespace {

reference::ReferenceOptions reference_options(const recipe::Recipe& recipe,
                                              at::ScalarType compute) {
  reference::ReferenceOptions options;
  static_cast<reference::EncoderSizes&>(options) =
      reference::encoder_sizes(recipe::autoencoder_options(recipe));
  options.decoder_dim = recipe.pretrain().decoder.dim;
  options.decoder_depth = recipe.pretrain().decoder.depth;
  options.decoder_heads = recipe.pretrain().decoder.heads;
  options.decoder_mlp_ratio = recipe.pretrain().decoder.mlp_ratio;
  options.norm_pix = recipe.pretrain().targets.norm_pix;
  options.variance_epsilon = recipe.pretrain().targets.variance_epsilon;
  options.compute = compute;
  return options;
}

// Teachers of the recipe's features with random weights, which are as fast as the published ones.
std::unique_ptr<targets::Teachers> random_teachers(const recipe::Recipe& recipe,
                                                   at::Device device) {
  if (recipe.pretrain().targets.features().empty()) return nullptr;
  auto teachers = std::make_unique<targets::Teachers>(recipe.pretrain().targets,
                                                      recipe::student_of(recipe), device);
  teachers->randomise();
  return teachers;
}

// As the published program on PyTorch.
class Reference final : public Implementation {
 public:
  Reference(const recipe::Recipe& recipe, const models::MaskedAutoencoder& model,
            const at::Tensor& pictures_BHWC, at::ScalarType compute)
      : options_(reference_options(recipe, compute)), adamw_(recipe.optim) {
    std::vector<at::Tensor> trained;
    for (const nn::Parameter& parameter : model.parameters().all()) {
      at::Tensor value = model.parameters().published(parameter).to(
          pictures_BHWC.device(), at::kFloat, /*non_blocking=*/false, /*copy=*/true);
      weights_[parameter.name] = value.requires_grad_(parameter.trainable);
      if (parameter.trainable) trained.push_back(value);
    }
    adamw_.add_group(std::move(trained), /*lr=*/1e-6, recipe.optim.weight_decay);
    sizes_ = masks::view_sizes(model.grid().patches(), recipe.pretrain().masks);
    kept_ = masks::kept_views(sizes_, recipe.pretrain().masks);
    noise_BL_ =
        at::rand({pictures_BHWC.size(0), model.grid().patches()}).to(pictures_BHWC.device());
    images_BCHW_ = pictures_BHWC.permute({0, 3, 1, 2}).to(at::kFloat).div(255).contiguous();
  }

  Parts step() override {
    Laps laps(images_BCHW_.device());
    const double before = allocated_bytes(images_BCHW_.device());
    const auto result =
        reference::forward(weights_, options_, images_BCHW_, noise_BL_, sizes_, kept_);
    laps.lap("forward");  // it cannot be stopped between encoder and decoder
    kept_bytes = allocated_bytes(images_BCHW_.device()) - before;
    torch::autograd::backward({result.loss}, {});
    laps.lap("backward");
    adamw_.step();
    laps.lap("update");
    return laps.parts;
  }

 private:
  reference::ReferenceOptions options_;
  reference::Weights weights_;
  FusedAdamW adamw_;
  std::vector<int64_t> sizes_;
  int64_t kept_ = 0;
  at::Tensor noise_BL_, images_BCHW_;
};

}  // namespace

nlohmann::json bench_step(const BenchStepRequest& asked, Reporter& reporter) {
  BenchStepRequest request = asked;
  std::shared_ptr<TimedGroup> timed;
  if (!request.timeline.empty()) {
    if (request.machine.group->size() == 1 || request.machine.group->ranks_here() > 1) {
      fail(ExitCode::kUsage,
           "--timeline is for processes that speak through a network, one on each machine");
    }
    request.machine.group = timed = std::make_shared<TimedGroup>(request.machine.group);
  }
  const int64_t threads = tasks::set_up_machine(request.machine);
  recipe::Recipe recipe = request.recipe;
  if (!request.precision.empty()) recipe.model.precision = request.precision;
  recipe::check(recipe);
  if (request.machine.group->size() > 1 && request.implementation != "fast") {
    fail(ExitCode::kUsage, "--implementation {}: several processes measure the fast form alone",
         request.implementation);
  }
  const at::Device device = tasks::device_of(request.machine);
  const ops::ReferenceOps reference_ops(recipe.debug.reference_ops);
  if (recipe.is<recipe::Classify>()) {
    return bench_classifier_step(request, recipe, device, threads, reporter, timed.get());
  }
  dist::Group& group = *request.machine.group;
  const bool features = !recipe.pretrain().targets.features().empty();
  if (features && request.implementation != "fast") {
    fail(ExitCode::kUsage,
         "--implementation {}: the published form has no targets but pixels, and {} has others; "
         "take fast",
         request.implementation, recipe.row.name);
  }
  recipe.optim.batch_size = request.batch;
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, device);
  at::manual_seed(0);
  train::PretrainLearner learner(
      models::MaskedAutoencoder(recipe::autoencoder_options(recipe), 0, device), recipe,
      random_teachers(recipe, device), request.machine.group);
  const loader::Batch batch = noise_batch(recipe, request.batch, 0, group);
  LearnerStep fast(learner, batch);
  if (device.is_cuda() && !request.profile && !recipe.debug.reference_ops) {
    const auto record = learner.recording(request.machine.cuda_graph);
    auto queued = record ? learner.queue(request.batch, record) : nullptr;
    if (queued) fast.use(std::move(queued), request.implementation == "fast");
  }
  std::unique_ptr<Reference> reference;
  if (request.implementation != "fast") {
    reference = std::make_unique<Reference>(recipe, learner.model(),
                                            models::pictures_of(batch).to(device), compute);
  }
  return time_steps(
      request, fast, reference.get(),
      {threads, compute, recipe::training_flops(recipe), learner.trainable_elements(), device},
      reporter, timed.get());
}

}  // namespace fcm::bench
