// Runs a pretraining case by the fast path or the reference.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>

#include "fcm/base/error.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/optim/adamw.h"
#include "fcm/train/state.h"
#include "reference/adamw.h"
#include "tests/parity/layout.h"
#include "tests/parity/run.h"

namespace fcm::parity {
namespace {

masks::ViewPlan plan_of(const PublishedModel& model, const Inputs& inputs) {
  return masks::plan_from_noise(inputs.noise_BL,
                                {model.options.grid_rows(), model.options.grid_cols()},
                                model.view_sizes(), model.kept_views());
}

void set_weights(nn::Parameters& parameters, const reference::Weights& weights) {
  for (const nn::Parameter& parameter : parameters.all()) {
    parameters.set_published(parameter, weights.at(parameter.name));
  }
}

// The fast model of a case, with the case's weights.
class FastModel {
 public:
  FastModel(const PublishedModel& published, const Inputs& inputs, Types types)
      : published_(published),
        types_(types),
        model_(published.autoencoder(), 0,
               at::TensorOptions(types.parameters).device(published.device)),
        plan_(plan_of(published, inputs).to(published.device)),
        layout_(plan_of(published, inputs), model_.geometry(), published.class_token() ? 1 : 0) {
    set_weights(model_.parameters(), inputs.weights);
    pixels_BLPD_ =
        ops::patchify_normalised(inputs.images_BCHW.to(published.device, types.parameters),
                                 plan_.order_BL, model_.geometry());
  }

  nn::Parameters& parameters() { return model_.parameters(); }
  const Layout& layout() const { return layout_; }

  models::MaskedAutoencoder::Result forward(const nn::Observer& observer = {}) {
    return model_.forward(pixels_BLPD_, plan_, types_.compute, observer);
  }

  // Converts a value to the layout in which upstream stores tensors of this name.
  UpstreamTensor place(const std::string& name, const at::Tensor& value) const {
    const auto is = [&](const char* prefix) { return name.starts_with(prefix); };
    if (is("decoder_blocks") || is("decoder_norm")) return layout_.sequences(value);
    if (published_.class_token()) {
      return name == "patch_embed" ? layout_.raster(value) : layout_.views(value);
    }
    if (name == "patch_embed4") return layout_.raster(value);
    if (is("patch_embed1") || is("blocks1")) return layout_.map(value, 0);
    if (is("patch_embed2") || is("blocks2")) return layout_.map(value, 1);
    if (is("patch_embed3") || is("stage")) return layout_.map(value, 2);
    return layout_.views(value);
  }

 private:
  const PublishedModel& published_;
  Types types_;
  models::MaskedAutoencoder model_;
  masks::ViewPlan plan_;
  Layout layout_;
  at::Tensor pixels_BLPD_;
};

void keep(Run& run, const std::string& name, UpstreamTensor tensor) {
  if (!tensor.computed.all().item<bool>()) run.computed[name] = tensor.computed;
  run.values[name] = std::move(tensor.values);
}

void run_fast(const PublishedModel& published, const Inputs& inputs, Types types,
              const std::string& tag, bool with_activations, Run& run) {
  FastModel model(published, inputs, types);
  nn::Observer observer;
  if (with_activations) {
    observer = [&](const std::string& name, const at::Tensor& value) {
      if (name == "decoder_pred") return;  // stored as "pred" below
      keep(run, "act." + name, model.place(name, value.detach().to(at::kCPU, types.parameters)));
    };
  }
  const models::MaskedAutoencoder::Result result = model.forward(observer);
  run.values["loss." + tag] = result.loss.detach().cpu();
  torch::autograd::backward({result.loss}, {});
  for (const nn::Parameter& parameter : model.parameters().all()) {
    if (!parameter.trainable) continue;
    run.values["grad." + tag + "." + parameter.name] =
        nn::to_published(parameter.value.grad().cpu(), parameter.layout, parameter.published_shape)
            .clone();
  }
  if (!with_activations) return;
  run.values["latent"] = run.values.at("act.norm");
  keep(run, "pred",
       model.layout().predictions(
           result.reconstruction.runs.front().predictions_BGHD.front().detach().to(
               at::kCPU, types.parameters)));
  run.values["mask"] = model.layout().masks();
  run.values["ids_restore"] = model.layout().ids_restore();
}

// Copies of the weights in dtype `type`; all except position tables require gradients.
reference::Weights leaves(const reference::Weights& weights, at::ScalarType type) {
  reference::Weights copies;
  for (const auto& [name, value] : weights) {
    copies[name] = value.to(type).clone();
    copies[name].requires_grad_(!name.ends_with("pos_embed"));
  }
  return copies;
}

reference::ReferenceResult reference_forward(const PublishedModel& published,
                                             const reference::Weights& weights,
                                             const Inputs& inputs, Types types,
                                             const nn::Observer& observer = {}) {
  reference::ReferenceOptions options = published.options;
  options.compute = types.compute;
  return reference::forward(weights, options, inputs.images_BCHW, inputs.noise_BL,
                            published.view_sizes(), published.kept_views(), observer);
}

void run_reference(const PublishedModel& published, const Inputs& inputs, Types types,
                   const std::string& tag, bool with_activations, Run& run) {
  const reference::Weights weights = leaves(inputs.weights, types.parameters);
  nn::Observer observer;
  if (with_activations) {
    observer = [&](const std::string& name, const at::Tensor& value) {
      run.values["act." + name] = value.detach().to(types.parameters);
    };
  }
  const reference::ReferenceResult result =
      reference_forward(published, weights, inputs, types, observer);
  run.values["loss." + tag] = result.loss.detach();
  torch::autograd::backward({result.loss}, {});
  for (const auto& [name, value] : weights) {
    if (value.requires_grad()) run.values["grad." + tag + "." + name] = value.grad();
  }
  if (!with_activations) return;
  run.values["latent"] = at::cat(result.latents).detach();
  run.values["pred"] = at::cat(result.predictions).detach();
  run.values["mask"] = at::cat(result.masks);
  run.values["ids_restore"] =
      inputs.noise_BL.argsort(/*dim=*/int64_t{1}).argsort(/*dim=*/int64_t{1});
}

}  // namespace

NamesAndShapes parameters_of(const PublishedModel& model) {
  return reference::expected_names_and_shapes(model.options);
}

Run run_pretraining(const PublishedModel& model, const Inputs& inputs, Path path, Types types) {
  Run run;
  for (const bool norm_pix : {true, false}) {
    PublishedModel variant = model;
    variant.options.norm_pix = norm_pix;
    const auto run_one = path == Path::kFast ? run_fast : run_reference;
    run_one(variant, inputs, types, norm_pix ? "norm_pix" : "plain", norm_pix, run);
  }
  // Some files store one mask tensor for all views, others one per view: mask1, mask2, ...
  const at::Tensor& masks = run.values.at("mask");
  const std::vector<at::Tensor> views = masks.chunk(model.kept_views(), 0);
  for (size_t i = 0; i < views.size(); ++i) {
    run.values["mask" + std::to_string(i + 1)] = views[i];
  }
  run.values["noise"] = inputs.noise_BL;
  run.values["images"] = inputs.images_BCHW;
  return run;
}

namespace {

void keep_losses(Run& run, const std::vector<double>& losses) {
  run.values["losses"] = at::tensor(at::ArrayRef<double>(losses), at::kDouble);
}

Run fast_adamw(const PublishedModel& published, const Inputs& inputs,
               const std::vector<double>& rates, const checkpoint::Checkpoint* start) {
  Run run;
  std::vector<double> losses;
  FastModel model(published, inputs, {});
  optim::AdamW optimizer(model.parameters(), optim::OptimOptions{});
  if (start != nullptr) {
    const std::string source = start->path.string();
    train::load_model(model.parameters(), start->model, source);
    train::load_optimizer(model.parameters(), optimizer, start->optimizer, source);
    optimizer.set_steps(start->state.at("optimizer_steps").get<int64_t>());
  }
  for (size_t step = 0;; ++step) {
    const at::Tensor loss = model.forward().loss;
    losses.push_back(loss.item<double>());
    if (step == rates.size()) break;
    optimizer.zero_gradients();
    torch::autograd::backward({loss}, {});
    optimizer.step(rates[step]);
    for (const nn::Parameter& parameter : model.parameters().all()) {
      run.values[fmt::format("step{}.{}", step + 1, parameter.name)] =
          model.parameters().published(parameter).clone();
    }
  }
  keep_losses(run, losses);
  return run;
}

using Moments = std::map<std::string, reference::AdamWMoments>;

void load_reference(reference::Weights& weights, Moments& moments,
                    const checkpoint::Checkpoint& start) {
  const auto steps = start.state.at("optimizer_steps").get<int64_t>();
  for (auto& [name, value] : weights) {
    const auto tensor = [&](const formats::TensorFile& file, const std::string& key) {
      const formats::TensorView* view = file.find(key);
      require(view != nullptr, "the checkpoint has no tensor {}", key);
      return train::to_tensor(*view);
    };
    const at::NoGradGuard no_grad;
    value.copy_(tensor(start.model, name));
    if (!value.requires_grad()) continue;
    moments[name] = {tensor(start.optimizer, "exp_avg." + name),
                     tensor(start.optimizer, "exp_avg_sq." + name), steps};
  }
}

Run reference_adamw(const PublishedModel& published, const Inputs& inputs,
                    const std::vector<double>& rates, const checkpoint::Checkpoint* start) {
  Run run;
  std::vector<double> losses;
  reference::Weights weights = leaves(inputs.weights, at::kFloat);
  Moments moments;
  if (start != nullptr) load_reference(weights, moments, *start);
  const optim::OptimOptions options;
  for (size_t step = 0;; ++step) {
    const at::Tensor loss = reference_forward(published, weights, inputs, {}).loss;
    losses.push_back(loss.item<double>());
    if (step == rates.size()) break;
    torch::autograd::backward({loss}, {});
    for (auto& [name, value] : weights) {
      if (value.requires_grad()) {
        const bool decays = value.dim() > 1 && !name.ends_with(".bias");
        reference::adamw_step(value, value.grad(), moments[name], rates[step],
                              decays ? options.weight_decay : 0, options.beta1, options.beta2,
                              options.epsilon);
        value.mutable_grad().reset();
      }
      run.values[fmt::format("step{}.{}", step + 1, name)] = value.detach().clone();
    }
  }
  keep_losses(run, losses);
  return run;
}

}  // namespace

Run run_adamw(const PublishedModel& model, const Inputs& inputs, Path path,
              const std::vector<double>& rates, const checkpoint::Checkpoint* start) {
  return path == Path::kFast ? fast_adamw(model, inputs, rates, start)
                             : reference_adamw(model, inputs, rates, start);
}

}  // namespace fcm::parity
