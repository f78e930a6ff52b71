#include "fcm/train/learners/probe.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/loss/classification.h"
#include "fcm/models/inputs.h"
#include "fcm/optim/norm.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/state.h"

namespace fcm::train {
namespace {

constexpr const char* kMomentum = "mu.";

bool is_of_head(const formats::TensorView& view) { return view.name.starts_with("head."); }

// The tensors of `file` for which `belongs` is true; they point into its data.
template <typename Belongs>
formats::TensorFile part_of(const formats::TensorFile& file, Belongs&& belongs) {
  formats::TensorFile part;
  for (const formats::TensorView& view : file.tensors) {
    if (belongs(view)) part.tensors.push_back(view);
  }
  return part;
}

}  // namespace

ProbeLearner::ProbeLearner(models::Classifier encoder, const recipe::Recipe& recipe,
                           std::shared_ptr<dist::Group> group)
    : Learner(std::move(group)),
      recipe_(recipe),
      compute_(recipe::compute_type(recipe.model.precision, encoder.device())),
      encoder_(std::move(encoder)),
      head_parameters_(static_cast<uint64_t>(recipe.run.seed), encoder_.device()),
      head_(nn::Scope(head_parameters_) / "head", encoder_.options().encoder.dims.back(),
            encoder_.options().classes),
      optimizer_((head_parameters_.flatten(), head_parameters_),
                 {recipe.optim.weight_decay, recipe.optim.beta1}) {}

at::Tensor ProbeLearner::features(const loader::Batch& batch, int64_t first, int64_t count) const {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = masks::full_plan(count, encoder_.grid()).to(encoder_.device());
  const at::Tensor images_BHWC =
      models::to_device(models::images_of(batch).narrow(0, first, count), encoder_.device());
  return encoder_.features(models::pixels_of(images_BHWC, plan, encoder_.geometry(), recipe_.data),
                           plan, compute_);
}

at::Tensor ProbeLearner::logits(const loader::Batch& batch) const {
  const at::NoGradGuard no_grad;
  return head_.evaluate(features(batch, 0, batch.batch)).cpu();
}

StepResult ProbeLearner::update(const loader::Batch& batch, const StepPlan& plan) {
  for (const int64_t label : batch.targets.labels()) {
    if (label >= 0 && label < encoder_.options().classes) continue;
    fail(ExitCode::kData, "an image has the label {}, the probe has {} classes", label,
         encoder_.options().classes);
  }
  std::vector<at::Tensor> chunks;
  for (int64_t first = 0; first < batch.batch; first += plan.micro_batch) {
    chunks.push_back(features(batch, first, std::min(plan.micro_batch, batch.batch - first)));
  }
  at::Tensor mean_D = head_parameters_.find("head.0.running_mean").value;
  at::Tensor variance_D = head_parameters_.find("head.0.running_var").value;
  const at::Tensor mean_before_D = mean_D.clone(), variance_before_D = variance_D.clone();
  optimizer_.zero_gradients();
  // The head is small: every rank runs it on the features of all ranks and gets the same result.
  const at::Tensor features_BC = dist::gather_rows(group(), at::cat(chunks));
  const at::Tensor labels_B = dist::gather_rows(
      group(), at::tensor(at::ArrayRef<int64_t>(batch.targets.labels()), at::kLong));
  const at::Tensor loss = loss::cross_entropy(head_.train(features_BC), labels_B.to(device()));
  torch::autograd::backward({loss}, {});
  StepResult result;
  result.loss = loss.item<double>();
  result.gradient_norm = optim::euclidean_norm(head_parameters_.flat_gradients());
  result.applied = is_finite(result);
  if (result.applied) {
    optimizer_.step(plan.lr);
    ++updates_;
  } else {
    mean_D.copy_(mean_before_D);
    variance_D.copy_(variance_before_D);
  }
  return result;
}

PublishedTensors ProbeLearner::model_state() const {
  PublishedTensors tensors;
  for (const nn::Parameters* parameters : {&encoder_.parameters(), &head_parameters_}) {
    for (const nn::Parameter& parameter : parameters->all()) {
      const bool unused = parameters == &encoder_.parameters() &&
                          (parameter.name == "head.weight" || parameter.name == "head.bias");
      if (!unused) tensors.add(parameter.name, parameters->published(parameter));
    }
  }
  return tensors;
}

PublishedTensors ProbeLearner::optimizer_state() const {
  PublishedTensors tensors;
  int64_t offset = 0;
  for (const nn::Parameter& parameter : head_parameters_.all()) {
    if (!parameter.trainable) continue;
    const int64_t elements = parameter.value.numel();
    tensors.add(
        kMomentum + parameter.name,
        optimizer_.momenta().narrow(0, offset, elements).view(parameter.published_shape).cpu());
    offset += elements;
  }
  return tensors;
}

void ProbeLearner::load_weights(const checkpoint::Checkpoint& from) {
  const std::string source = from.path.string();
  load_model(encoder_.parameters(),
             part_of(from.model, [](const auto& view) { return !is_of_head(view); }), source,
             {{"head.*"}, {}});
  load_model(head_parameters_, part_of(from.model, is_of_head), source);
}

void ProbeLearner::restore(const checkpoint::Checkpoint& from) {
  load_weights(from);
  int64_t offset = 0;
  for (const nn::Parameter& parameter : head_parameters_.all()) {
    if (!parameter.trainable) continue;
    const int64_t elements = parameter.value.numel();
    const formats::TensorView* view = from.optimizer.find(kMomentum + parameter.name);
    if (view == nullptr || view->shape != parameter.published_shape || view->dtype != "F32") {
      fail(ExitCode::kCheckpoint, "{} lacks {}{}, without which a probe cannot resume",
           from.path.string(), kMomentum, parameter.name);
    }
    optimizer_.momenta().narrow(0, offset, elements).copy_(to_tensor(*view).flatten());
    offset += elements;
  }
  updates_ = from.state.at("optimizer_steps").get<int64_t>();
}

}  // namespace fcm::train
