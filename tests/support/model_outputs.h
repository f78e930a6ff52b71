// Outputs of the program's own models under the output names of the ONNX graphs. They are the
// expected values in all comparisons with ONNX.
#pragma once

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "fcm/heads/vit_adaptor.h"
#include "fcm/masks/view_plan.h"
#include "fcm/models/classifier.h"
#include "fcm/models/detector.h"
#include "fcm/models/detector_backbone.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/models/segmenter.h"
#include "fcm/nn/upsample.h"
#include "fcm/ops/patchify/op.h"

namespace fcm::test {

using Outputs = std::map<std::string, at::Tensor>;

// Makes all parameters random, so that each affects the outputs.
inline void shake(nn::Parameters& parameters) {
  const at::NoGradGuard no_grad;
  at::manual_seed(3);
  for (const nn::Parameter& parameter : parameters.all()) {
    at::Tensor value = parameter.value;
    if (parameter.name.ends_with("running_var")) {
      value.copy_(at::rand_like(value).add(0.5));
    } else {
      value.add_(at::randn_like(value), 0.1);
    }
  }
}

// Normalises pixels in 0..1, [N, C, H, W], as the model expects them.
inline at::Tensor normalised(const at::Tensor& pixels_NCHW, const std::vector<double>& mean,
                             const std::vector<double>& stddev) {
  // mean and std are rounded to float32, as in the graph.
  const auto by_channel = [&](const std::vector<double>& values) {
    return at::tensor(values, at::kFloat).to(pixels_NCHW.scalar_type()).view({-1, 1, 1});
  };
  return (pixels_NCHW - by_channel(mean)) / by_channel(stddev);
}

inline at::Tensor channels_first(const at::Tensor& map_BHWC) {
  return map_BHWC.permute({0, 3, 1, 2}).contiguous();
}

inline at::Tensor patches_of(const at::Tensor& pixels_NCHW, const masks::ViewPlan& plan,
                             const ops::PatchGeometry& geometry) {
  return ops::patchify_normalised(pixels_NCHW, plan.order_BL, geometry);
}

inline Outputs outputs_of(const models::MaskedAutoencoder& model, const at::Tensor& pixels_NCHW) {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = masks::full_plan(pixels_NCHW.size(0), model.grid());
  const encoder::Features seen = model.encode(patches_of(pixels_NCHW, plan, model.geometry()), plan,
                                              pixels_NCHW.scalar_type());
  Outputs outputs{{"tokens", seen.latent_BKC}, {"features", seen.latent_BKC.mean(1)}};
  if (seen.class_latents_BGC.defined()) {
    outputs["class_token"] = seen.class_latents_BGC.select(1, 0);
  }
  return outputs;
}

// The input of the classifier's head, [N, C].
inline at::Tensor features_of(const models::Classifier& model, const at::Tensor& pixels_NCHW) {
  const masks::ViewPlan plan = masks::full_plan(pixels_NCHW.size(0), model.grid());
  return model.features(patches_of(pixels_NCHW, plan, model.geometry()), plan,
                        pixels_NCHW.scalar_type());
}

inline Outputs outputs_of(const models::Classifier& model, const at::Tensor& pixels_NCHW) {
  const at::NoGradGuard no_grad;
  return {{"logits", model.classify(features_of(model, pixels_NCHW))}};
}

inline Outputs outputs_of(const models::Segmenter& model, const at::Tensor& pixels_NCHW) {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = masks::full_plan(pixels_NCHW.size(0), model.grid());
  const at::Tensor logits_BHWK = model.evaluate(patches_of(pixels_NCHW, plan, model.geometry()),
                                                plan, pixels_NCHW.scalar_type());
  const at::Tensor whole_BHWK = nn::upsample(logits_BHWK, pixels_NCHW.size(2), pixels_NCHW.size(3));
  return {{"logits", channels_first(logits_BHWK)}, {"map", whole_BHWK.argmax(3)}};
}

// Builds a backbone with the detector's weights, because Detector does not expose these maps.
inline std::vector<at::Tensor> backbone_maps(const models::Detector& model,
                                             const at::Tensor& pixels_NCHW) {
  const models::DetectorBackboneOptions& options = model.options().backbone;
  nn::Parameters parameters(0, pixels_NCHW.scalar_type());
  const nn::Scope scope = nn::Scope(parameters) / "backbone" / models::backbone_place(options.form);
  const models::DetectorBackbone backbone(scope, options);
  std::optional<heads::VitAdaptor> adaptor;
  if (options.kind == "vit") adaptor.emplace(scope, options.encoder.dims[0]);
  parameters.flatten();
  for (const nn::Parameter& parameter : parameters.all()) {
    parameters.set_published(parameter,
                             model.parameters().published(model.parameters().find(parameter.name)));
  }
  const masks::ViewPlan plan = backbone.plan(pixels_NCHW.size(0));
  const std::vector<at::Tensor> maps =
      backbone(patches_of(pixels_NCHW, plan, model.geometry()), plan, pixels_NCHW.scalar_type());
  return adaptor ? (*adaptor)(maps) : maps;
}

inline Outputs outputs_of(const models::Detector& model, const at::Tensor& pixels_NCHW) {
  const at::NoGradGuard no_grad;
  Outputs outputs;
  for (const at::Tensor& map_BHWC : backbone_maps(model, pixels_NCHW)) {
    outputs[fmt::format("backbone_stride{}", pixels_NCHW.size(2) / map_BHWC.size(1))] =
        channels_first(map_BHWC);
  }
  const masks::ViewPlan plan = model.plan(pixels_NCHW.size(0));
  model.detect(patches_of(pixels_NCHW, plan, model.geometry()), plan, pixels_NCHW.scalar_type(),
               [&](const std::string& name, const at::Tensor& value) {
                 const bool level = name.size() == 2 && name[0] == 'p';
                 if (level) outputs[name] = channels_first(value);
               });
  return outputs;
}

}  // namespace fcm::test
