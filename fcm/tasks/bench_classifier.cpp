// Speed of a step of fine-tuning: this program's classifier, and the published form.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <numeric>

#include "fcm/base/error.h"
#include "fcm/loss/classification.h"
#include "fcm/optim/adamw.h"
#include "fcm/reference/classifier.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/step_timing.h"
#include "fcm/train/classifier_learner.h"
#include "fcm/train/setup.h"

namespace fcm::tasks {
namespace {

constexpr int64_t kClasses = 1000;

// The same for both.
struct Exercise {
  at::Tensor pictures_BHWC;  // uint8
  at::Tensor targets_BC;     // soft, as mixup makes them
  std::vector<int64_t> ids;
};

class FastClassifier final : public Implementation {
 public:
  FastClassifier(const train::FinetuneRecipe& recipe, const Exercise& exercise,
                 at::ScalarType compute)
      : recipe_(recipe),
        exercise_(exercise),
        compute_(compute),
        model_(train::classifier_options(recipe, kClasses), 0, exercise.pictures_BHWC.device()),
        optimizer_(model_.parameters(),
                   optim::layer_decay_groups(model_.parameters(), recipe.optim.weight_decay,
                                             recipe.classifier.layer_decay),
                   recipe.optim) {}

  const models::Classifier& model() const { return model_; }
  const std::vector<optim::ParameterGroup>& groups() const { return optimizer_.groups(); }

  Parts step() override {
    Laps laps(model_.device());
    const double before = allocated_bytes(model_.device());
    phase("encoder");
    const masks::ViewPlan plan =
        masks::full_plan(std::ssize(exercise_.ids), model_.grid()).to(model_.device());
    const at::Tensor features_BC = model_.features(
        train::pixels_of(exercise_.pictures_BHWC, plan, model_.geometry(), recipe_.data), plan,
        compute_, model_.draw_drop_path(0, 0, exercise_.ids));
    laps.lap("encoder");
    phase("head");
    const at::Tensor loss =
        loss::soft_target_cross_entropy(model_.classify(features_BC), exercise_.targets_BC);
    laps.lap("head");
    kept_bytes = allocated_bytes(model_.device()) - before;
    phase("backward");
    optimizer_.zero_gradients();
    torch::autograd::backward({loss}, {});
    laps.lap("backward");
    phase("update");
    optimizer_.gradient_norm();
    optimizer_.step(1e-6);
    laps.lap("update");
    phase("");
    return laps.parts;
  }

 private:
  const train::FinetuneRecipe& recipe_;
  const Exercise& exercise_;
  at::ScalarType compute_;
  models::Classifier model_;
  optim::AdamW optimizer_;
};

reference::ClassifierOptions reference_options(const train::FinetuneRecipe& recipe,
                                               at::ScalarType compute) {
  reference::ClassifierOptions options;
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
  options.classes = kClasses;
  options.mean_pool = recipe.classifier.pool == "mean";
  options.compute = compute;
  return options;
}

// As the published program on PyTorch, with the fused AdamW of today, a call for each group.
class ReferenceClassifier final : public Implementation {
 public:
  ReferenceClassifier(const train::FinetuneRecipe& recipe, const FastClassifier& fast,
                      const Exercise& exercise, at::ScalarType compute)
      : recipe_(recipe),
        model_(fast.model()),
        exercise_(exercise),
        options_(reference_options(recipe, compute)),
        images_BCHW_(
            exercise.pictures_BHWC.permute({0, 3, 1, 2}).to(at::kFloat).div(255).contiguous()) {
    const auto& parameters = model_.parameters().all();
    for (const optim::ParameterGroup& group : fast.groups()) {
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
    const at::Tensor logits_BC = reference::classify(weights_, options_, images_BCHW_,
                                                     model_.draw_drop_path(0, 0, exercise_.ids))
                                     .logits_BC;
    const at::Tensor loss = loss::soft_target_cross_entropy(logits_BC, exercise_.targets_BC);
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

  const train::FinetuneRecipe& recipe_;
  const models::Classifier& model_;
  const Exercise& exercise_;
  reference::ClassifierOptions options_;
  reference::Weights weights_;
  std::vector<Moved> groups_;
  at::Tensor images_BCHW_;
};

}  // namespace

nlohmann::json bench_classifier_step(const BenchStepRequest& request, int64_t threads,
                                     Reporter& reporter) {
  train::FinetuneRecipe recipe = *request.classifier;
  if (!request.precision.empty()) recipe.model.precision = request.precision;
  train::check(recipe);
  if (recipe.classifier.learns != "all") {
    fail(ExitCode::kUsage, "bench step measures recipes of finetune, and {} is one of linprobe",
         recipe.row.name);
  }
  const at::Device device = device_of(request.machine);
  const at::ScalarType compute = train::compute_type(recipe.model.precision, device);
  at::manual_seed(0);
  Exercise exercise{at::randint(256,
                                {request.batch, recipe.data.image_size[0],
                                 recipe.data.image_size[1], recipe.data.channels},
                                at::kByte)
                        .to(device),
                    at::rand({request.batch, kClasses}).softmax(-1).to(device),
                    std::vector<int64_t>(static_cast<size_t>(request.batch))};
  std::iota(exercise.ids.begin(), exercise.ids.end(), 0);
  FastClassifier fast(recipe, exercise, compute);
  std::unique_ptr<ReferenceClassifier> reference;
  if (request.implementation != "fast") {
    reference = std::make_unique<ReferenceClassifier>(recipe, fast, exercise, compute);
  }
  return time_steps(request, fast, reference.get(),
                    {threads, compute, train::training_flops(recipe),
                     fast.model().parameters().trainable_elements(), device},
                    reporter);
}

}  // namespace fcm::tasks
