#include "tests/parity/classifier_run.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/loss/classification.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/optim/adamw.h"
#include "fcm/optim/parameter_groups.h"
#include "reference/adamw.h"
#include "tests/parity/layout.h"

namespace fcm::parity {
namespace {

std::vector<double> rates(const std::vector<optim::ParameterGroup>& groups, double lr) {
  std::vector<double> result;
  for (const optim::ParameterGroup& group : groups) result.push_back(group.lr(lr));
  return result;
}

class FastPath final : public ClassifierPath {
 public:
  FastPath(const PublishedModel& published, const Inputs& inputs, Types types)
      : published_(published),
        types_(types),
        model_(fast_classifier(published), 0, types.parameters),
        plan_(masks::full_plan(inputs.images_BCHW.size(0), model_.grid())),
        layout_(plan_, model_.geometry(), published.class_token() ? 1 : 0) {
    for (const nn::Parameter& parameter : model_.parameters().all()) {
      model_.parameters().set_published(parameter, inputs.weights.at(parameter.name));
    }
    pixels_BLPD_ = ops::patchify_normalised(inputs.images_BCHW.to(types.parameters), plan_.order_BL,
                                            model_.geometry());
  }

  at::Tensor features() override { return model_.features(pixels_BLPD_, plan_, types_.compute); }

  at::Tensor logits(const nn::Observer& observer) override {
    nn::Observer placed;
    if (observer) {
      placed = [&](const std::string& name, const at::Tensor& value) {
        observer(name, place(name, value));
      };
    }
    return model_.classify(model_.features(pixels_BLPD_, plan_, types_.compute, {}, placed));
  }

  Tensors values() const override {
    Tensors values;
    for (const nn::Parameter& parameter : model_.parameters().all()) {
      values[parameter.name] = model_.parameters().published(parameter).clone();
    }
    return values;
  }

  Tensors gradients() const override {
    Tensors gradients;
    for (const nn::Parameter& parameter : model_.parameters().all()) {
      gradients[parameter.name] =
          nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape)
              .clone();
    }
    return gradients;
  }

  void zero_gradients() override { model_.parameters().flat_gradients().zero_(); }

  void prepare_updates(const optim::OptimOptions& options, double layer_decay) override {
    optimizer_ = std::make_unique<optim::AdamW>(
        model_.parameters(),
        optim::layer_decay_groups(model_.parameters(), model_.layer_of(), options.weight_decay,
                                  layer_decay),
        options);
  }
  std::vector<double> update(double lr) override {
    optimizer_->step(lr);
    return rates(optimizer_->groups(), lr);
  }

 private:
  at::Tensor place(const std::string& name, const at::Tensor& value) const {
    const auto is = [&](const char* prefix) { return name.starts_with(prefix); };
    if (name == "fc_norm") return value;
    if (published_.class_token()) {
      return name == "patch_embed" ? layout_.raster(value).values : layout_.views(value).values;
    }
    if (is("patch_embed1") || is("blocks1")) return layout_.map(value, 0).values;
    if (is("patch_embed2") || is("blocks2")) return layout_.map(value, 1).values;
    if (is("patch_embed3")) return layout_.map(value, 2).values;
    return layout_.raster(value).values;
  }

  const PublishedModel& published_;
  Types types_;
  models::Classifier model_;
  masks::ViewPlan plan_;
  Layout layout_;
  at::Tensor pixels_BLPD_;
  std::unique_ptr<optim::AdamW> optimizer_;
};

class ReferencePath final : public ClassifierPath {
 public:
  ReferencePath(const PublishedModel& published, const Inputs& inputs, Types types)
      : published_(published),
        options_(reference_classifier(published)),
        images_(inputs.images_BCHW.to(types.parameters)) {
    options_.compute = types.compute;
    for (const auto& [name, value] : inputs.weights) {
      weights_[name] = value.to(types.parameters).clone();
      weights_[name].requires_grad_(true);
    }
  }

  at::Tensor logits(const nn::Observer& observer) override {
    return reference::classify(weights_, options_, images_, {}, observer).logits_BC;
  }
  at::Tensor features() override {
    return reference::classify(weights_, options_, images_).features_BD;
  }
  Tensors values() const override { return {weights_.begin(), weights_.end()}; }
  Tensors gradients() const override {
    Tensors gradients;
    for (const auto& [name, value] : weights_) gradients[name] = value.grad().clone();
    return gradients;
  }
  void zero_gradients() override {
    for (auto& [name, value] : weights_) value.mutable_grad().reset();
  }

  // Groups depend only on parameter names, so the fast model determines them.
  void prepare_updates(const optim::OptimOptions& options, double layer_decay) override {
    optim_ = options;
    const models::Classifier model(fast_classifier(published_), 0);
    groups_ = optim::layer_decay_groups(model.parameters(), model.layer_of(), options.weight_decay,
                                        layer_decay);
    for (const nn::Parameter& parameter : model.parameters().all()) {
      names_.push_back(parameter.name);
    }
  }
  std::vector<double> update(double lr) override {
    for (const optim::ParameterGroup& group : groups_) {
      for (const size_t index : group.parameters) {
        at::Tensor& value = weights_.at(names_[index]);
        reference::adamw_step(value, value.grad(), moments_[names_[index]], group.lr(lr),
                              group.weight_decay, optim_.beta1, optim_.beta2, optim_.epsilon);
      }
    }
    return rates(groups_, lr);
  }

 private:
  const PublishedModel& published_;
  reference::ClassifierOptions options_;
  at::Tensor images_;
  reference::Weights weights_;
  optim::OptimOptions optim_;
  std::vector<optim::ParameterGroup> groups_;
  std::vector<std::string> names_;
  std::map<std::string, reference::AdamWMoments> moments_;
};

}  // namespace

reference::ClassifierOptions reference_classifier(const PublishedModel& model) {
  reference::ClassifierOptions result{model.options};  // sizes of image and encoder
  result.classes = model.classes;
  result.mean_pool = model.global_pool;
  return result;
}

models::ClassifierOptions fast_classifier(const PublishedModel& model) {
  const models::AutoencoderOptions same = model.autoencoder();
  models::ClassifierOptions result;
  result.kind = same.kind;
  result.encoder = same.encoder;
  result.rows = same.rows;
  result.cols = same.cols;
  result.channels = same.channels;
  result.classes = model.classes;
  result.mean_pool = model.global_pool;
  return result;
}

std::unique_ptr<ClassifierPath> make_path(const PublishedModel& model, const Inputs& inputs,
                                          Path path, Types types) {
  if (path == Path::kFast) return std::make_unique<FastPath>(model, inputs, types);
  return std::make_unique<ReferencePath>(model, inputs, types);
}

Run run_classifier(const PublishedModel& model, const Inputs& inputs,
                   const ClassifierTargets& targets, Path path, Types types) {
  Run run;
  const std::unique_ptr<ClassifierPath> classifier = make_path(model, inputs, path, types);
  const auto keep_gradients = [&](const std::string& tag, const at::Tensor& loss) {
    classifier->zero_gradients();
    torch::autograd::backward({loss}, {});
    for (const auto& [name, gradient] : classifier->gradients()) {
      run.values["grad." + tag + "." + name] = gradient;
    }
  };
  const at::Tensor logits_BC =
      classifier->logits([&](const std::string& name, const at::Tensor& value) {
        run.values["act." + name] = value.detach().to(types.parameters);
      });
  const at::Tensor smoothed = loss::label_smoothing_cross_entropy(logits_BC, targets.labels_B, 0.1);
  keep_gradients("ls", smoothed);
  const at::Tensor soft = loss::soft_target_cross_entropy(classifier->logits({}),
                                                          targets.targets_BC.to(types.parameters));
  keep_gradients("soft", soft);
  run.values["logits"] = logits_BC.detach();
  run.values["loss_ls"] = smoothed.detach();
  run.values["loss_soft"] = soft.detach();
  run.values["loss_ce"] = loss::cross_entropy(logits_BC.detach(), targets.labels_B);
  run.values["labels"] = targets.labels_B;
  run.values["targets"] = targets.targets_BC;
  for (const auto& [name, value] : inputs.weights) run.values["state." + name] = value;
  return run;
}

}  // namespace fcm::parity
