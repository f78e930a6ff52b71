// Speed of a step of fine-tuning: this program's classifier, and the published form.
#include "reference/classifier.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <vector>

#include "bench/bench.h"
#include "bench/fused_adamw.h"
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

reference::ClassifierOptions reference_classifier(const recipe::Recipe& recipe,
                                                  at::ScalarType compute) {
  reference::ClassifierOptions options;
  static_cast<reference::EncoderSizes&>(options) =
      reference::encoder_sizes(recipe::classifier_options(recipe, kClasses));
  options.classes = kClasses;
  options.mean_pool = recipe.classify().classifier.pool == "mean";
  options.compute = compute;
  return options;
}

// As the published program on PyTorch.
class ReferenceClassifier final : public Implementation {
 public:
  ReferenceClassifier(const recipe::Recipe& recipe, const train::ClassifierLearner& fast,
                      const loader::Batch& batch, at::ScalarType compute)
      : model_(fast.model()),
        ids_(batch.sample_ids),
        options_(reference_classifier(recipe, compute)),
        adamw_(recipe.optim),
        images_BCHW_(models::pictures_of(batch)
                         .to(model_.device())
                         .permute({0, 3, 1, 2})
                         .to(at::kFloat)
                         .div(255)
                         .contiguous()),
        targets_BC_(at::rand({batch.batch, kClasses}).softmax(-1).to(model_.device())) {
    const auto& parameters = model_.parameters().all();
    for (const optim::ParameterGroup& group : fast.optimizer().groups()) {
      std::vector<at::Tensor> values;
      for (const size_t index : group.parameters) {
        at::Tensor value = model_.parameters()
                               .published(parameters[index])
                               .to(model_.device(), at::kFloat, /*non_blocking=*/false,
                                   /*copy=*/true);
        weights_[parameters[index].name] = value.requires_grad_(true);
        values.push_back(value);
      }
      adamw_.add_group(std::move(values), group.lr(1e-6), group.weight_decay);
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
    adamw_.step();
    laps.lap("update");
    return laps.parts;
  }

 private:
  const models::Classifier& model_;
  std::vector<int64_t> ids_;
  reference::ClassifierOptions options_;
  reference::Weights weights_;
  FusedAdamW adamw_;
  at::Tensor images_BCHW_, targets_BC_;  // soft targets, as mixup makes them
};

}  // namespace

nlohmann::json bench_classifier_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                     at::Device device, int64_t threads, Reporter& reporter,
                                     TimedGroup* timed) {
  if (recipe.classify().classifier.learns != "all") {
    fail(ExitCode::kUsage, "bench step measures recipes of finetune, and {} is one of linprobe",
         recipe.row.name);
  }
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, device);
  at::manual_seed(0);
  train::ClassifierLearner learner(
      models::Classifier(recipe::classifier_options(recipe, kClasses), 0, device), recipe,
      request.machine.group);
  const loader::Batch batch = noise_batch(recipe, request.batch, kClasses, *request.machine.group);
  LearnerStep fast(learner, batch);
  std::unique_ptr<ReferenceClassifier> reference;
  if (request.implementation != "fast") {
    reference = std::make_unique<ReferenceClassifier>(recipe, learner, batch, compute);
  }
  return time_steps(
      request, fast, reference.get(),
      {threads, compute, recipe::training_flops(recipe), learner.trainable_elements(), device},
      reporter, timed);
}

}  // namespace fcm::bench
