// The fast path for a Swin; its tensors are converted from plan order to upstream layouts.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include "fcm/ops/patchify/op.h"
#include "fcm/optim/adamw.h"
#include "fcm/optim/parameter_groups.h"
#include "fcm/train/state.h"
#include "tests/parity/swin_path.h"

namespace fcm::parity {
namespace {

// The plan of a case. Visible patches come before hidden ones.
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

// Converts plan order to raster-order maps, and records which elements were computed.
class RasterConverter {
 public:
  RasterConverter(const SwinModel& model, masks::ViewPlan plan)
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

  // The visible cells of a stage in raster order, [B, T, C].
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

  // Writes x [B, n, D] to the rows patch_Bn of a tensor [B, L, D].
  at::Tensor at_patches(const at::Tensor& x_BnD, const at::Tensor& patch_Bn,
                        at::Tensor* computed) const {
    const at::Tensor index = patch_Bn.unsqueeze(2).expand_as(x_BnD);
    const auto sizes = std::vector<int64_t>{x_BnD.size(0), plan_.patches(), x_BnD.size(2)};
    *computed = at::zeros(sizes, at::kBool).scatter(1, index, true);
    return at::zeros(sizes, x_BnD.options()).scatter(1, index, x_BnD);
  }

  // Converts patches [B, L, pixels * channels] to images [B, channels, H, W].
  at::Tensor image(const at::Tensor& patches_BLD) const {
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
  // For each token in plan order, the raster index of its cell. [B, tokens]
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

class FastSwin final : public SwinPath {
 public:
  FastSwin(const SwinModel& model, const SwinInputs& inputs, Types types)
      : model_(model), inputs_(inputs), types_(types), converter_(model, plan_of(model, inputs)) {
    if (model.program == SwinProgram::kClassifier) {
      classifier_ = std::make_unique<models::Classifier>(model.classifier(), 0, types.parameters);
    } else {
      autoencoder_ =
          std::make_unique<models::MaskedAutoencoder>(model.autoencoder(), 0, types.parameters);
    }
    for (const nn::Parameter& parameter : parameters().all()) {
      parameters().set_published(parameter, inputs.weights.at(parameter.name));
    }
    pixels_BLPD_ = converter_.pixels(inputs.images_BCHW.to(types.parameters));
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
          classifier_->features(pixels_BLPD_, converter_.plan(), types_.compute, {}, observer);
      const at::Tensor logits = classifier_->classify(features);
      if (run != nullptr) {
        run->values["pooled"] = features.detach();
        run->values["logits"] = logits.detach();
      }
      return classifier_losses(logits, inputs_, run);
    }
    const auto result =
        autoencoder_->forward(pixels_BLPD_, converter_.plan(), types_.compute, observer);
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
      run.values[act] = converter_.visible(value, stages() - 1);
    } else if (name == "decoder_blocks_in") {
      run.values[act] = sequences(value, &computed);
    } else if (is("decoder_blocks.")) {
      const at::Tensor hidden_BH =
          converter_.plan().order_BL.slice(1, converter_.plan().kept_slots());
      const at::Tensor placed = converter_.at_patches(
          value.slice(1, value.size(1) - hidden_BH.size(1)), hidden_BH, &computed);
      keep_placed(run, act, placed, computed);
    } else if (is("decoder_")) {
      return;
    } else if (model_.program == SwinProgram::kGreenMim && name != "patch_embed") {
      run.values[act] = converter_.visible(value, name == "norm" ? stages() - 1 : stage_of(name));
    } else {
      const int64_t stage = name == "norm" ? stages() - 1 : stage_of(name);
      keep_placed(run, act, converter_.map(value, stage, &computed), computed);
      if (name == "patch_embed" && model_.program == SwinProgram::kGreenMim) {
        run.values["act.visible"] = converter_.visible(value, 0);
      }
    }
  }

  // Converts the decoder's sequence (visible patches in plan order, then hidden ones) to the order
  // of upstream's decoder.
  at::Tensor sequences(const at::Tensor& x_BLD, at::Tensor* computed) const {
    const masks::ViewPlan& plan = converter_.plan();
    at::Tensor place_BL = plan.order_BL;
    if (model_.options.shuffled) {
      const at::Tensor drawn = plan.order_BL.narrow(1, 0, plan.kept_slots());
      const at::Tensor rank = drawn.argsort(/*dim=*/int64_t{1}).argsort(/*dim=*/int64_t{1});
      place_BL = at::cat({drawn.gather(1, rank), plan.order_BL.slice(1, plan.kept_slots())}, 1);
    }
    const at::Tensor placed = converter_.at_patches(x_BLD, place_BL, computed);
    *computed = at::Tensor();  // undefined: all elements were computed
    return placed;
  }

  void keep_outputs(Run& run, const models::MaskedAutoencoder::Result& result) const {
    const auto wide = [&](const at::Tensor& x) { return x.detach().to(types_.parameters); };
    const at::Tensor predictions =
        wide(result.reconstruction.runs.front().predictions_BGHD.front());
    at::Tensor computed;
    const at::Tensor patches = converter_.patches(predictions, &computed);
    if (model_.program == SwinProgram::kSimMim) {
      keep_placed(run, "reconstruction", converter_.image(patches),
                  converter_.image(computed.to(at::kByte)).to(at::kBool));
      const at::Tensor raster =
          converter_.map(wide(result.features.latent_BKC), stages() - 1, &computed);
      run.values["latent"] = raster.transpose(1, 2).unflatten(
          2, {converter_.plan().grid.rows, converter_.plan().grid.cols});
    } else {
      keep_placed(run, "pred", patches, computed);
      run.values["latent"] = converter_.visible(wide(result.features.latent_BKC), stages() - 1);
    }
  }

  int64_t stages() const { return static_cast<int64_t>(model_.options.depths.size()); }

  const SwinModel model_;
  const SwinInputs& inputs_;
  Types types_;
  RasterConverter converter_;
  std::unique_ptr<models::Classifier> classifier_;
  std::unique_ptr<models::MaskedAutoencoder> autoencoder_;
  std::unique_ptr<optim::AdamW> optimizer_;
  at::Tensor pixels_BLPD_;
};

}  // namespace

std::unique_ptr<SwinPath> make_fast_swin(const SwinModel& model, const SwinInputs& inputs,
                                         Types types) {
  return std::make_unique<FastSwin>(model, inputs, types);
}

}  // namespace fcm::parity
