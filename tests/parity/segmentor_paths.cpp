// The two paths for a segmenter.
#include <ATen/ATen.h>

#include "fcm/loss/segmentation.h"
#include "reference/segmentation.h"
#include "reference/segmenter.h"
#include "tests/parity/segmentation_head.h"
#include "tests/parity/segmentor.h"

namespace fcm::parity {
namespace {

// An observer that collects features as [B, C, H, W]; `nhwc`: it receives them as [B, H, W, C].
nn::Observer watch_features(std::vector<at::Tensor>& features_BCHW, bool nhwc) {
  return [&features_BCHW, nhwc](const std::string& name, const at::Tensor& value) {
    if (name.starts_with("feature.")) {
      features_BCHW.push_back(nhwc ? value.permute({0, 3, 1, 2}) : value);
    }
  };
}

class FastSegmentor final : public SegmentorPath {
 public:
  FastSegmentor(const SegmentorCase& c, Types types)
      : case_(c), types_(types), model_(segmentor_model(c, types.parameters)) {}

  Output train(const at::Tensor& images_BCHW) override {
    Output output;
    const masks::ViewPlan plan = plan_of(images_BCHW);
    const models::Segmenter::Logits logits =
        model_.train(segmentor_pixels(model_, images_BCHW, plan), plan, types_.compute, {},
                     dist::group_of_one(), watch_features(output.features_BCHW, /*nhwc=*/true));
    output.decode_BHWK = logits.decode_BHWK;
    output.aux_BHWK = logits.aux_BHWK;
    return output;
  }
  Losses losses(const Output& output, const at::Tensor& labels_BHW) const override {
    const auto decode = loss::segmentation_loss(output.decode_BHWK, labels_BHW);
    return {decode.loss, loss::segmentation_loss(output.aux_BHWK, labels_BHW).loss,
            decode.correct.to(at::kDouble).item<double>()};
  }
  Output evaluate(const at::Tensor& images_BCHW) const override {
    const at::NoGradGuard no_grad;
    const models::Segmenter fresh = segmentor_model(case_, types_.parameters);
    const masks::ViewPlan plan = plan_of(images_BCHW);
    Output output;
    output.decode_BHWK =
        fresh.evaluate(segmentor_pixels(fresh, images_BCHW, plan), plan, types_.compute,
                       watch_features(output.features_BCHW, /*nhwc=*/true));
    return output;
  }
  std::map<std::string, at::Tensor> gradients() const override {
    return values(/*trainable=*/true);
  }
  std::map<std::string, at::Tensor> statistics() const override {
    return values(/*trainable=*/false);
  }

 private:
  std::map<std::string, at::Tensor> values(bool trainable) const {
    std::map<std::string, at::Tensor> found;
    for (const nn::Parameter& parameter : model_.parameters().all()) {
      if (parameter.trainable != trainable) continue;
      found[parameter.name] = trainable ? nn::to_published(parameter.value.grad(), parameter.layout,
                                                           parameter.published_shape)
                                        : parameter.value;
    }
    return found;
  }

  const SegmentorCase& case_;
  Types types_;
  models::Segmenter model_;
};

bool is_statistic(const std::string& name) {
  return name.find(".running_") != std::string::npos || name.ends_with("num_batches_tracked");
}

class PlainSegmentor final : public SegmentorPath {
 public:
  PlainSegmentor(const SegmentorCase& c, Types types)
      : case_(c), types_(types), weights_(copies(/*trained=*/true)) {
    static_cast<reference::EncoderSizes&>(options_) = reference::encoder_sizes(c.options);
    options_.taps = c.options.taps;
    options_.compute = types.compute;
  }

  Output train(const at::Tensor& images_BCHW) override {
    Output output;
    const reference::SegmenterLogits logits =
        reference::segment(weights_, options_, images_BCHW, {.training = true},
                           watch_features(output.features_BCHW, /*nhwc=*/false));
    output.decode_BHWK = in_nhwc(logits.decode_BKHW);
    output.aux_BHWK = in_nhwc(logits.aux_BKHW);
    return output;
  }
  Losses losses(const Output& output, const at::Tensor& labels_BHW) const override {
    const auto in_nchw = [](const at::Tensor& x) { return x.permute({0, 3, 1, 2}); };
    const at::Tensor decode = in_nchw(output.decode_BHWK);
    return {reference::segmentation_loss(decode, labels_BHW),
            reference::segmentation_loss(in_nchw(output.aux_BHWK), labels_BHW),
            reference::segmentation_accuracy(decode, labels_BHW) / 100 *
                static_cast<double>(labels_BHW.numel())};
  }
  Output evaluate(const at::Tensor& images_BCHW) const override {
    const at::NoGradGuard no_grad;
    Output output;
    output.decode_BHWK =
        in_nhwc(reference::segment(copies(/*trained=*/false), options_, images_BCHW, {},
                                   watch_features(output.features_BCHW, /*nhwc=*/false))
                    .decode_BKHW);
    return output;
  }
  // Without batch counters: the reference's batch norm has none.
  std::map<std::string, at::Tensor> statistics() const override {
    std::map<std::string, at::Tensor> found;
    for (const auto& [name, value] : weights_) {
      if (name.find(".running_") != std::string::npos) found[name] = value;
    }
    return found;
  }
  std::map<std::string, at::Tensor> gradients() const override {
    std::map<std::string, at::Tensor> found;
    for (const auto& [name, value] : weights_) {
      if (value.requires_grad()) found[name] = value.grad();
    }
    return found;
  }

 private:
  static at::Tensor in_nhwc(const at::Tensor& x_BCHW) { return x_BCHW.permute({0, 2, 3, 1}); }

  reference::Weights copies(bool trained) const {
    reference::Weights weights;
    for (const auto& [name, value] : case_.weights) {
      at::Tensor copy = value.to(types_.parameters, /*non_blocking=*/false, /*copy=*/true);
      weights[name] = copy.set_requires_grad(trained && !is_statistic(name));
    }
    return weights;
  }

  const SegmentorCase& case_;
  Types types_;
  reference::Weights weights_;
  reference::SegmenterOptions options_;
};

}  // namespace

std::unique_ptr<SegmentorPath> segmentor_path(const SegmentorCase& c, Path path, Types types) {
  if (path == Path::kFast) return std::make_unique<FastSegmentor>(c, types);
  return std::make_unique<PlainSegmentor>(c, types);
}

}  // namespace fcm::parity
