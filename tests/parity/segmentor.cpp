#include "tests/parity/segmentor.h"

#include <ATen/ATen.h>

#include "fcm/interop/batch_counts.h"
#include "fcm/interop/segmenter_names.h"
#include "fcm/ops/patchify/op.h"
#include "reference/procedural.h"
#include "tests/parity/golden.h"
#include "tests/parity/segmentation_head.h"

namespace fcm::parity {
namespace {

models::SegmenterOptions segmentor_options(const nlohmann::json& config) {
  models::SegmenterOptions options;
  const auto size = config.at("size").get<std::vector<int64_t>>();
  options.rows = size[0];
  options.cols = size[1];
  options.encoder.norm_epsilon = 1e-5;
  if (config.contains("dim")) {
    options.kind = "vit";
    options.encoder = {"custom", {16}, {config.at("dim")}, {config.at("depth")}, 12, {4}, 1e-6};
    options.taps = config.at("taps").get<std::vector<int64_t>>();
  } else {
    options.encoder.dims = config.at("dims").get<std::vector<int64_t>>();
    options.encoder.depths = config.at("depth").get<std::vector<int64_t>>();
    options.encoder.mlp_ratios = config.at("mlp").get<std::vector<double>>();
  }
  options.encoder.heads = config.at("heads").get<int64_t>();
  options.head_channels = config.at("channels");
  options.aux_channels = config.at("aux");
  options.classes = config.at("classes");
  return options;
}

}  // namespace

reference::Weights segmentor_weights(const models::SegmenterOptions& options, uint64_t seed) {
  reference::Weights weights;
  const models::Segmenter model(options, 0);
  for (const nn::Parameter& parameter : model.parameters().all()) {
    const std::string name = interop::mmseg_name(parameter.name);
    weights[parameter.name] = name.ends_with(interop::kBatchesSeen)
                                  ? at::zeros({})
                                  : reference::procedural(name, seed, parameter.published_shape);
  }
  return weights;
}

SegmentorCase segmentor_case(const Entry& entry, const Request& request) {
  SegmentorCase c;
  c.stored = read_tensors(entry.path());
  c.options = segmentor_options(entry.about.at("config"));
  c.batch = entry.about.at("config").at("batch");
  c.seed = entry.about.at("weight_seed");
  Inputs inputs;  // request.mistake may change them
  inputs.weights = segmentor_weights(c.options, c.seed);
  if (request.mistake) request.mistake(inputs);
  c.weights = inputs.weights;
  return c;
}

models::Segmenter segmentor_model(const SegmentorCase& c, at::ScalarType type) {
  models::Segmenter model(c.options, 0, type);
  set_weights(model.parameters(), c.weights);
  return model;
}

at::Tensor segmentor_pixels(const models::Segmenter& model, const at::Tensor& images_BCHW,
                            const masks::ViewPlan& plan) {
  return ops::patchify_normalised(images_BCHW.to(model.parameters().dtype()), plan.order_BL,
                                  model.geometry());
}

masks::ViewPlan plan_of(const at::Tensor& images_BCHW) {
  return masks::full_plan(images_BCHW.size(0),
                          {images_BCHW.size(2) / 16, images_BCHW.size(3) / 16});
}

at::Tensor as_nchw(const at::Tensor& map_BHWC) {
  return map_BHWC.permute({0, 3, 1, 2}).contiguous();
}

at::Tensor upsampled_logits(const at::Tensor& logits_BHWK, at::IntArrayRef size) {
  return at::upsample_bilinear2d(as_nchw(logits_BHWK), size, /*align_corners=*/false);
}

StoredTensors::StoredTensors(CaseResult& result, const Entry& entry, const Tensors& stored,
                             bool wide)
    : result_(result), entry_(with_own_errors(entry)), stored_(stored), wide_(wide) {}

void StoredTensors::compare_one(const std::string& name, const at::Tensor& got, double float32) {
  const at::Tensor value = got.detach();
  const bool whole = stored_.contains(name);
  if (!whole && !stored_.contains(name + ".val")) return;
  const at::Tensor wanted = stored_.at(whole ? name : name + ".val");
  const at::Tensor seen =
      whole ? value.reshape(wanted.sizes())
            : value.flatten().index_select(0, stored_.at(name + ".idx")).view(wanted.sizes());
  const double bound =
      wide_ ? float64_tolerance(entry_)(whole ? name : name + ".val", Quantity::kActivation)
            : float32;
  compare(result_, name, seen, wanted, bound, whole ? 0 : value.abs().max().item<double>());
  ++compared_;
}

// Whether the exact gradient is zero: biases before a batch norm.
bool has_no_gradient(const std::string& name) {
  return name == "backbone.fpn.0.bias" || (name.starts_with("neck.") && name.ends_with(".bias") &&
                                           name.find(".1.") == std::string::npos);
}

}  // namespace fcm::parity
