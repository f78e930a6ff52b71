// Speed of a training step: this program's model, and the published form, alternating in one run.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/optim/adamw.h"
#include "fcm/reference/reference.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/step_timing.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/queued_update.h"
#include "fcm/train/setup.h"
#include "fcm/train/step.h"

namespace fcm::tasks {
namespace {

class Fast final : public Implementation {
 public:
  Fast(const train::Recipe& recipe, const at::Tensor& pictures_BHWC, at::ScalarType compute)
      : recipe_(recipe),
        pictures_BHWC_(pictures_BHWC),
        compute_(compute),
        model_(train::autoencoder_options(recipe), 0, pictures_BHWC.device()),
        optimizer_(model_.parameters(), recipe.optim),
        ids_(static_cast<size_t>(pictures_BHWC.size(0))) {
    std::iota(ids_.begin(), ids_.end(), 0);
    if (recipe.targets.features().empty()) return;
    teachers_ = std::make_unique<targets::Teachers>(recipe.targets, train::student_of(recipe),
                                                    model_.device());
    teachers_->randomise();  // as fast as the published weights
    if (teachers_->ema() != nullptr) teachers_->ema()->start_from(model_.parameters());
  }

  models::MaskedAutoencoder& model() { return model_; }

  // From now on a step is a recorded update, its pictures copied to the GPU. Where `alone`, it ends
  // when the one before is done, as in training; else when it is done itself.
  void use_graph(bool alone) {
    at_once_ = !alone;
    recipe_.optim.batch_size = pictures_BHWC_.size(0);
    const at::Tensor here = pictures_BHWC_.cpu();
    const auto* pixels = here.const_data_ptr<uint8_t>();
    batch_.pixels_BHWC.assign(pixels, pixels + here.numel());
    batch_.batch = here.size(0);
    batch_.rows = here.size(1);
    batch_.cols = here.size(2);
    batch_.channels = here.size(3);
    batch_.sample_ids = ids_;
    queued_ = std::make_unique<train::QueuedUpdate>(model_, optimizer_, recipe_, compute_,
                                                    batch_.batch, nullptr, ops::make_cuda_graph());
  }

  Parts step() override {
    if (queued_) return queued_step();
    Laps laps(model_.device());
    const double before = allocated_bytes(model_.device());
    phase(teachers_ ? "teachers" : "encoder");
    const masks::ViewPlan plan =
        masks::plan_for_samples(ids_, 0, 0, model_.grid(), recipe_.masks).to(model_.device());
    const at::Tensor pixels =
        train::pixels_of(pictures_BHWC_, plan, model_.geometry(), recipe_.data);
    targets::Features wanted;
    if (teachers_) wanted = teachers_->features(pictures_BHWC_, pixels, plan, compute_);
    laps.lap("teachers");  // pictures cut into patches included
    const at::Tensor loss = forward(pixels, plan, wanted, laps);
    kept_bytes = allocated_bytes(model_.device()) - before;
    phase("backward");
    optimizer_.zero_gradients();
    torch::autograd::backward({loss}, {});
    laps.lap("backward");
    phase("update");
    optimizer_.gradient_norm();
    optimizer_.step(1e-6);
    if (teachers_ && teachers_->ema() != nullptr) {
      teachers_->ema()->follow(model_.parameters(), recipe_.targets.ema_momentum);
    }
    laps.lap("update");
    phase("");
    return laps.parts;
  }

 private:
  Parts queued_step() {
    const train::Stopwatch watch;
    queued_->give(batch_, 1e-6);
    while (queued_->unread() > (at_once_ ? 0 : 1)) queued_->read();
    return {{"update", watch.seconds()}};
  }

  at::Tensor forward(const at::Tensor& pixels, const masks::ViewPlan& plan,
                     const targets::Features& wanted, Laps& laps) {
    phase("encoder");
    const encoder::Features features = model_.encode(pixels, plan, compute_);
    laps.lap("encoder");
    phase("decoder");
    const at::Tensor loss = model_.reconstruct(features, pixels, plan, {}, wanted).loss;
    laps.lap("decoder");
    return loss;
  }

  std::unique_ptr<targets::Teachers> teachers_;
  train::Recipe recipe_;
  at::Tensor pictures_BHWC_;
  at::ScalarType compute_;
  models::MaskedAutoencoder model_;
  optim::AdamW optimizer_;
  std::vector<int64_t> ids_;
  loader::Batch batch_;  // of queued updates
  bool at_once_ = true;
  std::unique_ptr<train::QueuedUpdate> queued_;
};

reference::ReferenceOptions reference_options(const train::Recipe& recipe, at::ScalarType compute) {
  reference::ReferenceOptions options;
  options.kind = encoder::kind_named(recipe.model.kind) == encoder::Kind::kVit
                     ? reference::Kind::kVit
                     : reference::Kind::kConvVit;
  options.rows = recipe.data.image_size[0];
  options.cols = recipe.data.image_size[1];
  options.channels = recipe.data.channels;
  options.strides = recipe.encoder.strides;
  options.dims = recipe.encoder.dims;
  options.depths = recipe.encoder.depths;
  options.heads = recipe.encoder.heads;
  options.mlp_ratios = recipe.encoder.mlp_ratios;
  options.decoder_dim = recipe.decoder.dim;
  options.decoder_depth = recipe.decoder.depth;
  options.decoder_heads = recipe.decoder.heads;
  options.decoder_mlp_ratio = recipe.decoder.mlp_ratio;
  options.norm_pix = recipe.targets.norm_pix;
  options.variance_epsilon = recipe.targets.variance_epsilon;
  options.compute = compute;
  return options;
}

// As the published program on PyTorch, with the fused AdamW of today.
class Reference final : public Implementation {
 public:
  Reference(const train::Recipe& recipe, const models::MaskedAutoencoder& model,
            const at::Tensor& pictures_BHWC, at::ScalarType compute)
      : recipe_(recipe), options_(reference_options(recipe, compute)) {
    for (const nn::Parameter& parameter : model.parameters().all()) {
      at::Tensor value = model.parameters().published(parameter).to(
          pictures_BHWC.device(), at::kFloat, /*non_blocking=*/false, /*copy=*/true);
      weights_[parameter.name] = value.requires_grad_(parameter.trainable);
      if (!parameter.trainable) continue;
      values_.push_back(value);
      first_.push_back(at::zeros_like(value.detach()));
      second_.push_back(at::zeros_like(value.detach()));
      counts_.push_back(at::zeros({}, value.options()));
    }
    sizes_ = masks::view_sizes(model.grid().patches(), recipe.masks);
    kept_ = masks::kept_views(sizes_, recipe.masks);
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
    update();
    laps.lap("update");
    return laps.parts;
  }

 private:
  void update() {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> gradients;
    for (at::Tensor& value : values_) gradients.push_back(value.grad());
    for (at::Tensor& count : counts_) count.add_(1);
    at::_fused_adamw_(values_, gradients, first_, second_, {}, counts_, /*lr=*/1e-6,
                      recipe_.optim.beta1, recipe_.optim.beta2, recipe_.optim.weight_decay,
                      recipe_.optim.epsilon, /*amsgrad=*/false, /*maximize=*/false);
    for (at::Tensor& value : values_) value.mutable_grad().reset();
  }

  const train::Recipe& recipe_;
  reference::ReferenceOptions options_;
  reference::Weights weights_;
  std::vector<at::Tensor> values_, first_, second_, counts_;
  std::vector<int64_t> sizes_;
  int64_t kept_ = 0;
  at::Tensor noise_BL_, images_BCHW_;
};

}  // namespace

nlohmann::json bench_step(const BenchStepRequest& request, Reporter& reporter) {
  const int64_t threads = set_up_machine(request.machine);
  if (request.classifier) return bench_classifier_step(request, threads, reporter);
  const at::Device device = device_of(request.machine);
  train::Recipe recipe = request.recipe;
  if (!request.precision.empty()) recipe.model.precision = request.precision;
  train::check(recipe);
  const bool features = !recipe.targets.features().empty();
  if (features && request.implementation != "fast") {
    fail(ExitCode::kUsage,
         "--implementation {}: the published form has no targets but pixels, and {} has others; "
         "take fast",
         request.implementation, recipe.row.name);
  }
  const at::ScalarType compute = train::compute_type(recipe.model.precision, device);
  at::manual_seed(0);
  const at::Tensor pictures_BHWC = at::randint(256,
                                               {request.batch, recipe.data.image_size[0],
                                                recipe.data.image_size[1], recipe.data.channels},
                                               at::kByte)
                                       .to(device);
  Fast fast(recipe, pictures_BHWC, compute);
  if (request.machine.cuda_graph && device.is_cuda() && !features && !request.profile) {
    fast.use_graph(request.implementation == "fast");
  }
  std::unique_ptr<Reference> reference;
  if (request.implementation != "fast") {
    reference = std::make_unique<Reference>(recipe, fast.model(), pictures_BHWC, compute);
  }
  return time_steps(request, fast, reference.get(),
                    {threads, compute, train::training_flops(recipe),
                     fast.model().parameters().trainable_elements(), device},
                    reporter);
}

}  // namespace fcm::tasks
