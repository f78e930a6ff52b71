// Speed of a step of fine-tuning, compared with the reference.
#include "reference/classifier.h"

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "bench/bench.h"
#include "bench/learner_step.h"
#include "bench/reference_training.h"
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

class ReferenceClassifier final : public ReferenceTraining {
 public:
  ReferenceClassifier(const recipe::Recipe& recipe, const train::ClassifierLearner& fast,
                      const loader::Batch& batch, at::ScalarType compute)
      : ReferenceTraining(fast.model().parameters(), fast.optimizer().groups(), recipe.optim),
        model_(fast.model()),
        ids_(batch.sample_ids),
        options_(reference_classifier(recipe, compute)),
        images_BCHW_(models::images_of(batch)
                         .to(model_.device())
                         .permute({0, 3, 1, 2})
                         .to(at::kFloat)
                         .div(255)
                         .contiguous()),
        targets_BC_(at::rand({batch.batch, kClasses}).softmax(-1).to(model_.device())) {}

 private:
  at::Tensor loss() override {
    const at::Tensor logits_BC =
        reference::classify(weights(), options_, images_BCHW_, model_.draw_drop_path(0, 0, ids_))
            .logits_BC;
    return fcm::loss::soft_target_cross_entropy(logits_BC, targets_BC_);
  }

  const models::Classifier& model_;
  std::vector<int64_t> ids_;
  reference::ClassifierOptions options_;
  at::Tensor images_BCHW_, targets_BC_;  // soft targets, like those of mixup
};

}  // namespace

nlohmann::json bench_classifier_step(const BenchStepRequest& request, const recipe::Recipe& recipe,
                                     at::Device device, int64_t threads, Reporter& reporter,
                                     TimedGroup* timed) {
  if (recipe.classify().classifier.learns != "all") {
    fail(ExitCode::kUsage, "bench step does not measure linear probes, and {} is a recipe of one",
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
