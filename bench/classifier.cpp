// Speed of a step of fine-tuning: this program's classifier, and the published form.
#include "reference/classifier.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <vector>

#include "bench/bench.h"
#include "bench/learner_step.h"
#include "bench/step_timing.h"
#include "fcm/base/error.h"
#include "fcm/loss/classification.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/classify.h"

namespace fcm::bench {
namespace {

constexpr int64_t kClasses = 1000;

reference::ClassifierOptions reference_options(const recipe::Recipe& recipe,
                                               at::ScalarType compute) {
  reference::ClassifierOptions options;
  options.kind = reference::kind_named(recipe.model.kind);
  options.rows = recipe.data.image_size[0];
  options.cols = recipe.data.image_size[1];
  options.channels = recipe.data.channels;
  options.strides = recipe.encoder.strides;
  options.dims = recipe.encoder.dims;
  options.depths = recipe.encoder.depths;
  options.heads = recipe.encoder.heads;
  options.mlp_ratios = recipe.encoder.mlp_ratios;
  options.classes = kClasses;
  options.mean_pool = recipe.classify().classifier.pool == "mean";
  options.compute = compute;
  return options;
}

// As the published program on PyTorch, with the fused AdamW of today, a call for each group.
class ReferenceClassifier final : public Implementation {
 public:
  ReferenceClassifier(const recipe::Recipe& recipe, const train::ClassifierLearner& fast,
                      const loader::Batch& batch, at::ScalarType compute)
      : recipe_(recipe),
        model_(fast.model()),
        ids_(batch.sample_ids),
        options_(reference_options(recipe, compute)),
        images_BCHW_(models::pictures_of(batch)
                         .to(model_.device())
                         .permute({0, 3, 1, 2})
                         .to(at::kFloat)
                         .div(255)
                         .contiguous()),
        targets_BC_(at::rand({batch.batch, kClasses}).softmax(-1).to(model_.device())) {
    const auto& parameters = model_.parameters().all();
    for (const optim::ParameterGroup& group : fast.optimizer().groups()) {
      Moved moved{group, {}, {}, {}, {}};
      for (const size_t index : group.parameters) {
        at::Tensor value = model_.parameters()
                               .published(parameters[index])
                               .to(model_.device(), at::kFloat, /*non_blocking=*/false,
                                   /*copy=*/true);
        weights_[parameters[index].name] = value.requires_grad_(true);
        moved.values.push_back(value);
        moved.first.push_back(at::zeros_like(value.detach()));
        moved.second.push_back(at::zeros_like(value.detach()));
        moved.counts.push_back(at::zeros({}, value.options().requires_grad(false)));
      }
      groups_.push_back(std::move(moved));
    }
  }

  Parts step() override {
    Laps laps(model_.device());
    const double before = allocated_bytes(model_.device());
    const at::Tensor logits_BC =
        reference::classify(weights_, options_, images_BCHW_, model_.draw_drop_path(0, 0, ids_))
            .logits_BC;
    const at::Tensor loss = loss::soft_target_cross_entropy(logits_BC, targets_BC_);
    laps.lap("forward");
    kept_bytes = allocated_bytes(model_.device()) - before;
    torch::autograd::backward({loss}, {});
    laps.lap("backward");
    update();
    laps.lap("update");
    return laps.parts;
  }

 private:
  struct Moved {
    optim::ParameterGroup group;
    std::vector<at::Tensor> values, first, second, counts;
  };

  void update() {
    const at::NoGradGuard no_grad;
    for (Moved& moved : groups_) {
      std::vector<at::Tensor> gradients;
      for (at::Tensor& value : moved.values) gradients.push_back(value.grad());
      for (at::Tensor& count : moved.counts) count.add_(1);
      at::_fused_adamw_(moved.values, gradients, moved.first, moved.second, {}, moved.counts,
                        moved.group.lr(1e-6), recipe_.optim.beta1, recipe_.optim.beta2,
                        moved.group.weight_decay, recipe_.optim.epsilon, /*amsgrad=*/false,
                        /*maximize=*/false);
      for (at::Tensor& value : moved.values) value.mutable_grad().reset();
    }
  }

  const recipe::Recipe& recipe_;
  const models::Classifier& model_;
  std::vector<int64_t> ids_;
  reference::ClassifierOptions options_;
  reference::Weights weights_;
  std::vector<Moved> groups_;
  at::Tensor images_BCHW_, targets_BC_;  // soft targets, as mixup makes them
};

}  // namespace

nlohmann::json bench_classifier_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                     at::Device device, int64_t threads, Reporter& reporter) {
  if (recipe.classify().classifier.learns != "all") {
    fail(ExitCode::kUsage, "bench step measures recipes of finetune, and {} is one of linprobe",
         recipe.row.name);
  }
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, device);
  at::manual_seed(0);
  train::ClassifierLearner learner(
      models::Classifier(recipe::classifier_options(recipe, kClasses), 0, device), recipe);
  const loader::Batch batch = noise_batch(recipe, request.batch, kClasses);
  LearnerStep fast(learner, batch);
  std::unique_ptr<ReferenceClassifier> reference;
  if (request.implementation != "fast") {
    reference = std::make_unique<ReferenceClassifier>(recipe, learner, batch, compute);
  }
  return time_steps(
      request, fast, reference.get(),
      {threads, compute, recipe::training_flops(recipe), learner.trainable_elements(), device},
      reporter);
}

}  // namespace fcm::bench
