#include "tests/parity/swin_run.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <map>

#include "fcm/loss/classification.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/optim/adamw.h"
#include "fcm/optim/parameter_groups.h"
#include "fcm/train/state.h"
#include "reference/adamw.h"

namespace fcm::parity {
namespace {

// The plan of a case: what is hidden stands behind what is seen.
masks::ViewPlan plan_of(const SwinModel& model, const SwinInputs& inputs) {
  const reference::SwinOptions& options = model.options;
  const masks::Grid grid{options.rows / options.unit(), options.cols / options.unit()};
  const int64_t batch = inputs.images_BCHW.size(0);
  if (model.program == SwinProgram::kClassifier) return masks::full_plan(batch, grid);
  if (model.program == SwinProgram::kGreenMim) {
    return masks::plan_from_noise(inputs.noise_L.unsqueeze(0).expand({batch, -1}), grid,
                                  {inputs.kept, grid.patches() - inputs.kept}, 1);
  }
  const int64_t cells = options.unit() / options.patch;
  const at::Tensor hidden_BL = inputs.mask_Bhw.slice(1, 0, inputs.mask_Bhw.size(1), cells)
                                   .slice(2, 0, inputs.mask_Bhw.size(2), cells)
                                   .flatten(1);
  const int64_t kept = grid.patches() - hidden_BL[0].sum().item<int64_t>();
  return masks::plan_from_noise(hidden_BL.to(at::kDouble), grid, {kept, grid.patches() - kept}, 1);
}

// From plan order to maps row by row, and what of them was computed.
class Placing {
 public:
  Placing(const SwinModel& model, masks::ViewPlan plan)
      : options_(model.options), geometry_{model.encoder().strides}, plan_(std::move(plan)) {}

  const masks::ViewPlan& plan() const { return plan_; }

  // Cells of a stage, [B, slots * P, C] -> [B, all cells, C].
  at::Tensor map(const at::Tensor& x_BTC, int64_t stage, at::Tensor* computed) const {
    const at::Tensor place_BT = places(x_BTC.size(1), stage);
    const int64_t cells = plan_.patches() * geometry_.cells(stage).count();
    const at::Tensor index = place_BT.unsqueeze(2).expand_as(x_BTC);
    const auto sizes = std::vector<int64_t>{x_BTC.size(0), cells, x_BTC.size(2)};
    if (x_BTC.size(1) < cells) {
      *computed = at::zeros(sizes, at::kBool).scatter(1, index, true);
    }
    return at::zeros(sizes, x_BTC.options()).scatter(1, index, x_BTC);
  }

  // The visible cells of a stage row by row, [B, T, C].
  at::Tensor visible(const at::Tensor& x_BTC, int64_t stage) const {
    const at::Tensor order_BT = places(x_BTC.size(1), stage).argsort(/*dim=*/int64_t{1});
    return x_BTC.gather(1, order_BT.unsqueeze(2).expand_as(x_BTC));
  }

  // Predictions of hidden patches, [B, 1, H, D] -> [B, L, D], a patch as (row, column, channel).
  at::Tensor patches(const at::Tensor& predictions_BGHD, at::Tensor* computed) const {
    const std::vector<int64_t> order = geometry_.pixel_order();
    const at::Tensor pixels = at::tensor(at::ArrayRef<int64_t>(order), at::kLong).argsort();
    const at::Tensor x_BHD = predictions_BGHD.squeeze(1);
    const at::Tensor rows_BHD =
        x_BHD.unflatten(2, {-1, options_.channels}).index_select(2, pixels).flatten(2);
    return at_patches(rows_BHD, plan_.order_BL.slice(1, plan_.kept_slots()), computed);
  }

  // [B, n, D] at these patches -> [B, L, D].
  at::Tensor at_patches(const at::Tensor& x_BnD, const at::Tensor& patch_Bn,
                        at::Tensor* computed) const {
    const at::Tensor index = patch_Bn.unsqueeze(2).expand_as(x_BnD);
    const auto sizes = std::vector<int64_t>{x_BnD.size(0), plan_.patches(), x_BnD.size(2)};
    *computed = at::zeros(sizes, at::kBool).scatter(1, index, true);
    return at::zeros(sizes, x_BnD.options()).scatter(1, index, x_BnD);
  }

  // [B, L, pixels * channels] -> [B, channels, H, W].
  at::Tensor picture(const at::Tensor& patches_BLD) const {
    const int64_t unit = options_.unit();
    return patches_BLD
        .reshape({-1, options_.rows / unit, options_.cols / unit, unit, unit, options_.channels})
        .permute({0, 5, 1, 3, 2, 4})
        .reshape({-1, options_.channels, options_.rows, options_.cols});
  }

  at::Tensor pixels(const at::Tensor& images_BCHW) const {
    return ops::patchify_normalised(images_BCHW, plan_.order_BL, geometry_);
  }

 private:
  // For each token in plan order its cell in the map, row by row.
  at::Tensor places(int64_t tokens, int64_t stage) const {
    const ops::Cells cells = geometry_.cells(stage);
    const int64_t slots = tokens / cells.count();
    const at::Tensor patch_BK1 = plan_.order_BL.narrow(1, 0, slots).unsqueeze(2);
    const at::Tensor inner_P = at::tensor(at::ArrayRef<int64_t>(cells.raster), at::kLong);
    const at::Tensor row = at::div(patch_BK1, plan_.grid.cols, "floor") * cells.side +
                           at::div(inner_P, cells.side, "floor");
    const at::Tensor col = patch_BK1 % plan_.grid.cols * cells.side + inner_P % cells.side;
    return (row * (plan_.grid.cols * cells.side) + col).flatten(1);
  }

  reference::SwinOptions options_;
  ops::PatchGeometry geometry_;
  masks::ViewPlan plan_;
};

int64_t stage_of(const std::string& name) {
  if (!name.starts_with("layers.")) return 0;
  const int64_t stage = std::stoll(name.substr(7));
  return name.ends_with("downsample") ? stage + 1 : stage;
}

void keep_placed(Run& run, const std::string& name, const at::Tensor& value,
                 const at::Tensor& computed) {
  run.values[name] = value;
  if (computed.defined()) run.computed[name] = computed;
}

// What a path makes of a case: the loss to draw gradients from, by its tag.
using Losses = std::vector<std::pair<std::string, at::Tensor>>;

class SwinPath {
 public:
  virtual ~SwinPath() = default;
  // Keeps activations and outputs where `run` is there.
  virtual Losses losses(Run* run) = 0;
  virtual Tensors values() const = 0;     // of the parameters, under the names of files
  virtual Tensors gradients() const = 0;  // of the last backward pass, likewise
  virtual void zero_gradients() = 0;
  virtual void prepare_updates(const SwinSteps& steps) = 0;
  virtual void update(double lr, double gradient_scale) = 0;

  double gradient_norm() const {
    double sum = 0;
    for (const auto& [name, gradient] : gradients()) {
      const double norm = gradient.to(at::kDouble).norm().item<double>();
      sum += norm * norm;
    }
    return std::sqrt(sum);
  }
};

Losses classifier_losses(const at::Tensor& logits_BC, const SwinInputs& inputs, Run* run) {
  const at::Tensor ls = loss::label_smoothing_cross_entropy(logits_BC, inputs.labels_B, 0.1);
  Losses losses{{"ls", ls}};
  if (!inputs.targets_BC.defined()) return losses;
  const at::Tensor soft =
      loss::soft_target_cross_entropy(logits_BC, inputs.targets_BC.to(logits_BC.scalar_type()));
  losses.emplace_back("soft", soft);
  if (run == nullptr) return losses;
  run->values["loss_ls"] = ls.detach();
  run->values["loss_soft"] = soft.detach();
  run->values["loss_ce"] = loss::cross_entropy(logits_BC.detach(), inputs.labels_B);
  run->values["labels"] = inputs.labels_B;
  run->values["targets"] = inputs.targets_BC;
  return losses;
}

class FastSwin final : public SwinPath {
 public:
  FastSwin(const SwinModel& model, const SwinInputs& inputs, Types types)
      : model_(model), inputs_(inputs), types_(types), placing_(model, plan_of(model, inputs)) {
    if (model.program == SwinProgram::kClassifier) {
      classifier_ = std::make_unique<models::Classifier>(model.classifier(), 0, types.parameters);
    } else {
      autoencoder_ =
          std::make_unique<models::MaskedAutoencoder>(model.autoencoder(), 0, types.parameters);
    }
    for (const nn::Parameter& parameter : parameters().all()) {
      parameters().set_published(parameter, inputs.weights.at(parameter.name));
    }
    pixels_BLPD_ = placing_.pixels(inputs.images_BCHW.to(types.parameters));
  }

  Losses losses(Run* run) override {
    nn::Observer observer;
    if (run != nullptr) {
      observer = [this, run](const std::string& name, const at::Tensor& value) {
        keep(*run, name, value.detach().to(types_.parameters));
      };
    }
    if (classifier_) {
      const at::Tensor features =
          classifier_->features(pixels_BLPD_, placing_.plan(), types_.compute, {}, observer);
      const at::Tensor logits = classifier_->classify(features);
      if (run != nullptr) {
        run->values["pooled"] = features.detach();
        run->values["logits"] = logits.detach();
      }
      return classifier_losses(logits, inputs_, run);
    }
    const auto result =
        autoencoder_->forward(pixels_BLPD_, placing_.plan(), types_.compute, observer);
    if (run != nullptr) keep_outputs(*run, result);
    const char* tag = model_.program == SwinProgram::kSimMim ? "l1"
                      : model_.options.norm_pix              ? "norm_pix"
                                                             : "plain";
    if (run != nullptr) run->values[fmt::format("loss.{}", tag)] = result.loss.detach();
    return {{tag, result.loss}};
  }

  Tensors values() const override {
    Tensors values;
    for (const nn::Parameter& parameter : parameters().all()) {
      values[in_file(parameter)] = parameters().published(parameter).clone();
    }
    return values;
  }
  Tensors gradients() const override {
    Tensors gradients;
    for (const nn::Parameter& parameter : parameters().all()) {
      if (!parameter.trainable) continue;
      gradients[in_file(parameter)] =
          nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape)
              .clone();
    }
    return gradients;
  }
  void zero_gradients() override { parameters().flat_gradients().zero_(); }

  void prepare_updates(const SwinSteps& steps) override {
    optim::OptimOptions options;
    options.beta2 = steps.beta2;
    options.no_decay =
        model_.program == SwinProgram::kSimMim ? "vectors_tokens" : "vectors_tokens_tables";
    const auto groups = classifier_
                            ? optim::layer_decay_groups(parameters(), classifier_->layer_of(),
                                                        options.weight_decay, steps.layer_decay)
                            : optim::pretraining_groups(parameters(), options);
    optimizer_ = std::make_unique<optim::AdamW>(parameters(), groups, options);
    if (steps.start == nullptr) return;
    const std::string source = steps.start->path.string();
    train::load_model(parameters(), steps.start->model, source);
    train::load_optimizer(parameters(), *optimizer_, steps.start->optimizer, source);
    optimizer_->set_steps(steps.start->state.at("optimizer_steps").get<int64_t>());
  }
  void update(double lr, double gradient_scale) override { optimizer_->step(lr, gradient_scale); }

 private:
  nn::Parameters& parameters() {
    return classifier_ ? classifier_->parameters() : autoencoder_->parameters();
  }
  const nn::Parameters& parameters() const {
    return classifier_ ? classifier_->parameters() : autoencoder_->parameters();
  }
  std::string in_file(const nn::Parameter& parameter) const {
    return name_in_file(model_.program, parameter.name);
  }

  void keep(Run& run, const std::string& name, const at::Tensor& value) const {
    at::Tensor computed;
    const std::string act = "act." + name;
    const auto is = [&](const char* prefix) { return name.starts_with(prefix); };
    if (name == "decoder_embed") {
      run.values[act] = placing_.visible(value, stages() - 1);
    } else if (name == "decoder_blocks_in") {
      run.values[act] = sequences(value, &computed);
    } else if (is("decoder_blocks.")) {
      const at::Tensor hidden_BH = placing_.plan().order_BL.slice(1, placing_.plan().kept_slots());
      const at::Tensor placed = placing_.at_patches(
          value.slice(1, value.size(1) - hidden_BH.size(1)), hidden_BH, &computed);
      keep_placed(run, act, placed, computed);
    } else if (is("decoder_")) {
      return;
    } else if (model_.program == SwinProgram::kGreenMim && name != "patch_embed") {
      run.values[act] = placing_.visible(value, name == "norm" ? stages() - 1 : stage_of(name));
    } else {
      const int64_t stage = name == "norm" ? stages() - 1 : stage_of(name);
      keep_placed(run, act, placing_.map(value, stage, &computed), computed);
      if (name == "patch_embed" && model_.program == SwinProgram::kGreenMim) {
        run.values["act.visible"] = placing_.visible(value, 0);
      }
    }
  }

  // Visible patches in plan order, then hidden ones, to the places where the decoder has them.
  at::Tensor sequences(const at::Tensor& x_BLD, at::Tensor* computed) const {
    const masks::ViewPlan& plan = placing_.plan();
    at::Tensor place_BL = plan.order_BL;
    if (model_.options.shuffled) {
      const at::Tensor drawn = plan.order_BL.narrow(1, 0, plan.kept_slots());
      const at::Tensor rank = drawn.argsort(/*dim=*/int64_t{1}).argsort(/*dim=*/int64_t{1});
      place_BL = at::cat({drawn.gather(1, rank), plan.order_BL.slice(1, plan.kept_slots())}, 1);
    }
    const at::Tensor placed = placing_.at_patches(x_BLD, place_BL, computed);
    *computed = at::Tensor();  // all of them
    return placed;
  }

  void keep_outputs(Run& run, const models::MaskedAutoencoder::Result& result) const {
    const auto wide = [&](const at::Tensor& x) { return x.detach().to(types_.parameters); };
    const at::Tensor predictions =
        wide(result.reconstruction.runs.front().predictions_BGHD.front());
    at::Tensor computed;
    const at::Tensor patches = placing_.patches(predictions, &computed);
    if (model_.program == SwinProgram::kSimMim) {
      keep_placed(run, "reconstruction", placing_.picture(patches),
                  placing_.picture(computed.to(at::kByte)).to(at::kBool));
      const at::Tensor raster =
          placing_.map(wide(result.features.latent_BKC), stages() - 1, &computed);
      run.values["latent"] = raster.transpose(1, 2).unflatten(
          2, {placing_.plan().grid.rows, placing_.plan().grid.cols});
    } else {
      keep_placed(run, "pred", patches, computed);
      run.values["latent"] = placing_.visible(wide(result.features.latent_BKC), stages() - 1);
    }
  }

  int64_t stages() const { return static_cast<int64_t>(model_.options.depths.size()); }

  const SwinModel model_;
  const SwinInputs& inputs_;
  Types types_;
  Placing placing_;
  std::unique_ptr<models::Classifier> classifier_;
  std::unique_ptr<models::MaskedAutoencoder> autoencoder_;
  std::unique_ptr<optim::AdamW> optimizer_;
  at::Tensor pixels_BLPD_;
};

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

  // Which group a parameter is in is a matter of its name alone: the fast model says it.
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

std::unique_ptr<SwinPath> make_swin_path(const SwinModel& model, const SwinInputs& inputs,
                                         Path path, Types types) {
  if (path == Path::kFast) return std::make_unique<FastSwin>(model, inputs, types);
  return std::make_unique<PlainSwin>(model, inputs, types);
}

void draw_gradients(SwinPath& path, Run& run, bool with_activations) {
  const Losses all = path.losses(with_activations ? &run : nullptr);
  for (const auto& [tag, loss] : all) {
    path.zero_gradients();
    torch::autograd::backward({loss}, {}, /*retain_graph=*/&loss != &all.back().second);
    for (const auto& [name, gradient] : path.gradients()) {
      run.values[fmt::format("grad.{}.{}", tag, name)] = gradient;
    }
    if (!run.values.contains("loss." + tag)) run.values["loss." + tag] = loss.detach();
  }
}

}  // namespace

Run run_swin(const SwinModel& model, const SwinInputs& inputs, Path path, Types types) {
  Run run;
  draw_gradients(*make_swin_path(model, inputs, path, types), run, true);
  if (model.program == SwinProgram::kGreenMim) {
    SwinModel plain = model;
    plain.options.norm_pix = false;
    draw_gradients(*make_swin_path(plain, inputs, path, types), run, false);
  }
  // Statistics are stored of outputs, too, under the names of activations.
  for (const char* name : {"latent", "reconstruction", "pred", "logits", "pooled"}) {
    if (!run.values.contains(name)) continue;
    run.values[fmt::format("act.{}", name)] = run.values.at(name);
    if (run.computed.contains(name))
      run.computed[fmt::format("act.{}", name)] = run.computed.at(name);
  }
  return run;
}

Run run_swin_steps(const SwinModel& model, const SwinInputs& inputs, Path path,
                   const SwinSteps& steps) {
  Run run;
  const std::unique_ptr<SwinPath> trained = make_swin_path(model, inputs, path, {});
  trained->prepare_updates(steps);
  std::vector<double> losses, norms;
  for (size_t step = 0;; ++step) {
    const at::Tensor loss = trained->losses(nullptr).front().second;
    losses.push_back(loss.item<double>());
    if (step == steps.rates.size()) break;
    trained->zero_gradients();
    torch::autograd::backward({loss}, {});
    norms.push_back(trained->gradient_norm());
    const bool clips = steps.clip > 0 && norms.back() > steps.clip;
    trained->update(steps.rates[step], clips ? steps.clip / norms.back() : 1);
    for (const auto& [name, value] : trained->values()) {
      run.values[fmt::format("step{}.{}", step + 1, name)] = value;
    }
  }
  run.values["losses"] = at::tensor(at::ArrayRef<double>(losses), at::kDouble);
  run.values["grad_norms"] = at::tensor(at::ArrayRef<double>(norms), at::kDouble);
  return run;
}

}  // namespace fcm::parity
