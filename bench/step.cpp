// Speed of a training step, alternating with the reference in one run.
#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/learner_step.h"
#include "bench/reference_training.h"
#include "bench/step_timing.h"
#include "fcm/base/error.h"
#include "fcm/models/inputs.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/learners/pretrain.h"
#include "reference/reference.h"
#include "reference/swin.h"

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
  options.cross = recipe.pretrain().decoder.cross();
  options.share = recipe.pretrain().decoder.share;
  options.reads_mix = recipe.pretrain().decoder.reads_blocks();
  options.norm_pix = recipe.pretrain().targets.norm_pix;
  options.variance_epsilon = recipe.pretrain().targets.variance_epsilon;
  options.compute = compute;
  return options;
}

reference::SwinOptions swin_options(const recipe::Recipe& recipe, at::ScalarType compute) {
  const encoder::EncoderOptions& encoder = recipe.encoder;
  const decoder::DecoderOptions& decoder = recipe.pretrain().decoder;
  reference::SwinOptions options;
  options.rows = recipe.data.image_size[0];
  options.cols = recipe.data.image_size[1];
  options.channels = recipe.data.channels;
  options.patch = encoder.strides.front();
  options.dim = encoder.dims.front();
  options.depths = encoder.depths;
  options.heads = encoder.heads.values;
  options.window = encoder.window;
  options.mlp_ratio = encoder.mlp_ratios.front();
  options.norm_epsilon = encoder.norm_epsilon;
  options.decoder_dim = decoder.dim;
  options.decoder_depth = decoder.depth;
  options.decoder_heads = decoder.heads;
  options.decoder_mlp_ratio = decoder.mlp_ratio;
  options.norm_pix = recipe.pretrain().targets.norm_pix;
  options.compute = compute;
  return options;
}

// Teachers of the recipe's feature targets, with random weights, which do not change the speed.
std::unique_ptr<targets::Teachers> random_teachers(const recipe::Recipe& recipe,
                                                   at::Device device) {
  if (recipe.pretrain().targets.features().empty()) return nullptr;
  return std::make_unique<targets::Teachers>(recipe.pretrain().targets, recipe::student_of(recipe),
                                             device);
}

// One group of all trainable parameters.
std::vector<optim::ParameterGroup> one_group(const nn::Parameters& parameters, double decay) {
  optim::ParameterGroup group{"", /*lr_scale=*/1, decay, {}};
  for (size_t i = 0; i < parameters.all().size(); ++i) {
    if (parameters.all()[i].trainable) group.parameters.push_back(i);
  }
  return {group};
}

class Reference final : public ReferenceTraining {
 public:
  Reference(const recipe::Recipe& recipe, const models::MaskedAutoencoder& model,
            const at::Tensor& images_BHWC, at::ScalarType compute)
      : ReferenceTraining(model.parameters(),
                          one_group(model.parameters(), recipe.optim.weight_decay), recipe.optim) {
    images_BCHW_ = images_BHWC.permute({0, 3, 1, 2}).to(at::kFloat).div(255).contiguous();
    loss_ = recipe.model.kind == "swin" ? loss_of_swin(recipe, model, compute)
                                        : loss_of_views(recipe, model, compute);
  }

 private:
  using Loss = std::function<at::Tensor()>;

  at::Tensor loss() override { return loss_(); }

  at::Tensor noise(const models::MaskedAutoencoder& model) const {
    return at::rand({images_BCHW_.size(0), model.grid().patches()}).to(images_BCHW_.device());
  }

  Loss loss_of_views(const recipe::Recipe& recipe, const models::MaskedAutoencoder& model,
                     at::ScalarType compute) {
    const std::vector<int64_t> sizes =
        masks::view_sizes(model.grid().patches(), recipe.pretrain().masks);
    const int64_t kept = masks::kept_views(sizes, recipe.pretrain().masks);
    return
        [this, options = reference_options(recipe, compute), noise_BL = noise(model), sizes, kept] {
          return reference::forward(weights(), options, images_BCHW_, noise_BL, sizes, kept).loss;
        };
  }

  // SimMIM as its recipe says; GreenMIM with one mask for the batch, as published.
  Loss loss_of_swin(const recipe::Recipe& recipe, const models::MaskedAutoencoder& model,
                    at::ScalarType compute) {
    const reference::SwinOptions options = swin_options(recipe, compute);
    const masks::Grid grid = model.grid();
    const int64_t kept = masks::view_sizes(grid.patches(), recipe.pretrain().masks).front();
    const at::Tensor noise_BL = noise(model);
    if (!recipe.pretrain().decoder.linear()) {
      return [this, options, noise_L = noise_BL[0], kept] {
        return reference::green_mim(weights(), options, images_BCHW_, noise_L, kept).loss;
      };
    }
    const int64_t cells = options.unit() / options.patch;
    const at::Tensor rank_BL = noise_BL.argsort(/*dim=*/int64_t{1}).argsort(/*dim=*/int64_t{1});
    const at::Tensor mask_Bhw = (rank_BL >= kept)
                                    .to(at::kFloat)
                                    .view({-1, grid.rows, grid.cols})
                                    .repeat_interleave(cells, 1)
                                    .repeat_interleave(cells, 2);
    return [this, options, mask_Bhw] {
      return reference::simmim(weights(), options, images_BCHW_, mask_Bhw).loss;
    };
  }

  at::Tensor images_BCHW_;
  Loss loss_;
};

}  // namespace

nlohmann::json bench_step(const BenchStepRequest& given_request, Reporter& reporter) {
  BenchStepRequest request = given_request;
  std::shared_ptr<TimedGroup> timed;
  if (!request.timeline.empty()) {
    if (request.machine.group->size() == 1 || request.machine.group->ranks_here() > 1) {
      fail(ExitCode::kUsage,
           "--timeline is for processes connected by a network, one on each machine");
    }
    request.machine.group = timed = std::make_shared<TimedGroup>(request.machine.group);
  }
  const int64_t threads = tasks::set_up_machine(request.machine);
  recipe::Recipe recipe = request.recipe;
  if (!request.precision.empty()) recipe.model.precision = request.precision;
  recipe::check(recipe);
  if (request.machine.group->size() > 1 && request.implementation != "fast") {
    fail(ExitCode::kUsage, "--implementation {}: several processes can only measure fast",
         request.implementation);
  }
  const at::Device device = tasks::device_of(request.machine);
  const ops::ReferenceOps reference_ops(recipe.debug.reference_ops);
  if (recipe.is<recipe::Classify>()) {
    return bench_classifier_step(request, recipe, device, threads, reporter, timed.get());
  }
  if (recipe.is<recipe::Segment>()) {
    return bench_segmenter_step(request, recipe, device, threads, reporter, timed.get());
  }
  if (recipe.is<recipe::Detect>()) {
    return bench_detector_step(request, recipe, device, threads, reporter, timed.get());
  }
  dist::Group& group = *request.machine.group;
  const bool features = !recipe.pretrain().targets.features().empty();
  const bool views_of_swin =
      recipe.model.kind == "swin" && recipe.pretrain().masks.views.count != 1;
  if (views_of_swin && request.implementation != "fast") {
    fail(
        ExitCode::kUsage,
        "--implementation {}: there is no reference of a Swin with several views, which {} is; take "
        "fast",
        request.implementation, recipe.row.name);
  }
  if (features && request.implementation != "fast") {
    fail(ExitCode::kUsage,
         "--implementation {}: the reference only has pixel targets, and {} has others; "
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
    auto queued = record ? learner.make_queued_execution(request.batch, record) : nullptr;
    if (queued) fast.switch_to_enqueued(std::move(queued), request.implementation == "fast");
  }
  std::unique_ptr<Reference> reference;
  if (request.implementation != "fast") {
    reference = std::make_unique<Reference>(recipe, learner.model(),
                                            models::images_of(batch).to(device), compute);
  }
  return time_steps(
      request, fast, reference.get(),
      {threads, compute, recipe::training_flops(recipe), learner.trainable_elements(), device},
      reporter, timed.get());
}

}  // namespace fcm::bench
