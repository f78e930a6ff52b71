// The reference for a Swin.
#include <ATen/ATen.h>

#include <map>

#include "fcm/train/state.h"
#include "reference/adamw.h"
#include "tests/parity/swin_path.h"

namespace fcm::parity {
namespace {

class PlainSwin final : public SwinPath {
 public:
  PlainSwin(const SwinModel& model, const SwinInputs& inputs, Types types)
      : model_(model), inputs_(inputs), types_(types) {
    model_.options.compute = types.compute;
    for (const auto& [name, value] : inputs.weights) {
      weights_[name] = value.to(types.parameters).clone();
      weights_[name].requires_grad_(!name.ends_with("pos_embed"));
    }
  }

  Losses losses(Run* run) override {
    nn::Observer observer;
    if (run != nullptr) {
      observer = [this, run](const std::string& name, const at::Tensor& value) {
        run->values["act." + name] = value.detach().to(types_.parameters);
      };
    }
    const auto wide = [&](const at::Tensor& x) { return x.detach().to(types_.parameters); };
    const reference::SwinOptions& options = model_.options;
    if (model_.program == SwinProgram::kClassifier) {
      const auto result =
          reference::swin_classify(weights_, options, inputs_.images_BCHW, {}, observer);
      if (run != nullptr) {
        run->values["pooled"] = wide(result.pooled);
        run->values["logits"] = wide(result.logits);
      }
      return classifier_losses(result.logits.to(types_.parameters), inputs_, run);
    }
    const bool simmim = model_.program == SwinProgram::kSimMim;
    const auto result = simmim ? reference::simmim(weights_, options, inputs_.images_BCHW,
                                                   inputs_.mask_Bhw, observer)
                               : reference::green_mim(weights_, options, inputs_.images_BCHW,
                                                      inputs_.noise_L, inputs_.kept, observer);
    const std::string tag = simmim ? "l1" : options.norm_pix ? "norm_pix" : "plain";
    if (run != nullptr) {
      run->values["latent"] = wide(result.latent);
      run->values[simmim ? "reconstruction" : "pred"] = wide(result.reconstructed);
      run->values["loss." + tag] = result.loss.detach();
    }
    return {{tag, result.loss}};
  }

  Tensors values() const override { return renamed(weights_); }
  Tensors gradients() const override {
    Tensors gradients;
    for (const auto& [name, value] : weights_) {
      if (value.requires_grad()) gradients[name] = value.grad();
    }
    return renamed(gradients);
  }
  void zero_gradients() override {
    for (auto& [name, value] : weights_) value.mutable_grad().reset();
  }

  // Groups depend only on parameter names, so the fast model determines them.
  void prepare_updates(const SwinSteps& steps) override {
    steps_ = steps;
    if (model_.program == SwinProgram::kClassifier) {
      const models::Classifier model(model_.classifier(), 0);
      for (const auto& [name, value] : weights_) layers_[name] = model.layer_of()(name);
    }
    if (steps.start == nullptr) return;
    const at::NoGradGuard no_grad;
    for (auto& [name, value] : weights_) {
      value.copy_(train::to_tensor(*steps.start->model.find(name)));
      if (!value.requires_grad()) continue;
      moments_[name] = {train::to_tensor(*steps.start->optimizer.find("exp_avg." + name)),
                        train::to_tensor(*steps.start->optimizer.find("exp_avg_sq." + name)),
                        steps.start->state.at("optimizer_steps").get<int64_t>()};
    }
  }
  void update(double lr, double gradient_scale) override {
    for (auto& [name, value] : weights_) {
      if (!value.requires_grad()) continue;
      const bool vector = value.dim() == 1 || name.ends_with(".bias");
      const bool table =
          name.ends_with("relative_position_bias_table") && model_.program != SwinProgram::kSimMim;
      const bool decays = !vector && !table && name != "mask_token";
      double scale = 1;
      if (const auto layer = layers_.find(name); layer != layers_.end()) {
        scale = std::pow(steps_.layer_decay, layer->second.last - layer->second.index);
      }
      reference::adamw_step(value, value.grad() * gradient_scale, moments_[name], lr * scale,
                            decays ? 0.05 : 0, 0.9, steps_.beta2, 1e-8);
    }
  }

 private:
  Tensors renamed(const Tensors& tensors) const {
    Tensors result;
    for (const auto& [name, value] : tensors) {
      result[name_in_file(model_.program, name)] = value.detach().clone();
    }
    return result;
  }

  SwinModel model_;
  const SwinInputs& inputs_;
  Types types_;
  reference::Weights weights_;
  SwinSteps steps_;
  std::map<std::string, nn::Layer> layers_;
  std::map<std::string, reference::AdamWMoments> moments_;
};

}  // namespace

std::unique_ptr<SwinPath> make_plain_swin(const SwinModel& model, const SwinInputs& inputs,
                                          Types types) {
  return std::make_unique<PlainSwin>(model, inputs, types);
}

}  // namespace fcm::parity
