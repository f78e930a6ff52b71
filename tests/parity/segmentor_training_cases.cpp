// Compares a training pass of whole segmenters and of their backbones.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/interop/segmenter_names.h"
#include "fcm/loss/segmentation.h"
#include "reference/procedural.h"
#include "tests/parity/golden.h"
#include "tests/parity/segmentation_head.h"
#include "tests/parity/segmentor.h"

namespace fcm::parity {
namespace {

at::Tensor images_of(const SegmentorCase& c) {
  return reference::procedural("images", c.seed, {c.batch, 3, c.options.rows, c.options.cols});
}

void compare_features(StoredTensors& stored, const std::string& prefix,
                      const std::vector<at::Tensor>& features_BCHW) {
  for (size_t i = 0; i < features_BCHW.size(); ++i) {
    stored.compare_one(fmt::format("{}{}", prefix, i), features_BCHW[i].contiguous(),
                       kSegmentationFloat32);
  }
}

// Compares running statistics and gradients of the parameters whose names begin with `within`.
// `named` maps this program's names to stored ones.
void compare_parameters(StoredTensors& stored, const SegmentorPath& path,
                        const std::function<std::string(const std::string&)>& named,
                        const std::string& within) {
  for (const auto& [name, value] : path.statistics()) {
    stored.compare_one("after." + named(name), value, kSegmentationFloat32);
  }
  for (const auto& [own, value] : path.gradients()) {
    const std::string name = named(own);
    if (!own.starts_with(within) || has_no_gradient(name)) continue;
    stored.compare_one("grad." + name, without_key_bias(name, value), kSegmentationFloat32);
  }
}

void expect_many(CaseResult& result, const StoredTensors& stored) {
  if (stored.compared() < 50) add_fault(result, "fewer than 50 stored tensors were compared");
}

}  // namespace

void compare_segmentor_training(CaseResult& result, const Entry& entry, const SegmentorCase& c,
                                Path path, Types types) {
  StoredTensors stored(result, entry, c.stored, types.parameters == at::kDouble);
  const std::unique_ptr<SegmentorPath> model = segmentor_path(c, path, types);
  const at::Tensor images = images_of(c);
  const at::Tensor labels_BHW = c.stored.at("labels").view({c.batch, images.size(2), -1});
  const SegmentorPath::Output output = model->train(images);
  compare_features(stored, "feature.", output.features_BCHW);
  const SegmentorPath::Losses found = model->losses(output, labels_BHW);
  const at::Tensor loss = found.decode + found.aux * 0.4;
  torch::autograd::backward({loss}, {});
  // The ViT's results are from mmsegmentation 0.30, whose accuracy is over labelled pixels only.
  const int64_t pixels = c.options.kind == "vit"
                             ? labels_BHW.ne(loss::kIgnoredLabel).sum().item<int64_t>()
                             : labels_BHW.numel();
  constexpr double kLoss = 3e-5;
  stored.compare_one("loss", loss, kLoss);
  stored.compare_one("decode.loss_seg", found.decode, kLoss);
  stored.compare_one("aux.loss_seg", found.aux * 0.4, kLoss);
  const double percent = 100 * found.correct / static_cast<double>(pixels);
  compare(result, "decode.acc_seg", at::full({1}, percent, at::kDouble),
          c.stored.at("decode.acc_seg").view({1}), 0x1p-23);
  compare_parameters(
      stored, *model, [](const std::string& name) { return interop::mmseg_name(name); }, "");
  const SegmentorPath::Output evaluated = model->evaluate(images);
  stored.compare_one("eval.logits",
                     upsampled_logits(evaluated.decode_BHWK, images.sizes().slice(2)),
                     kSegmentationFloat32);
  expect_many(result, stored);
}

// Compares a backbone's outputs, and its gradients for the loss sum_i <out.i, cotangent.i> / 100.
void compare_segmentor_backbone(CaseResult& result, const Entry& entry, const SegmentorCase& c,
                                Path path, Types types) {
  StoredTensors stored(result, entry, c.stored, types.parameters == at::kDouble);
  const std::unique_ptr<SegmentorPath> model = segmentor_path(c, path, types);
  const at::Tensor images = images_of(c);
  const SegmentorPath::Output output = model->train(images);
  compare_features(stored, "out.", output.features_BCHW);
  at::Tensor loss;
  for (size_t i = 0; i < output.features_BCHW.size(); ++i) {
    const at::Tensor& map = output.features_BCHW[i];
    const at::Tensor cotangent =
        reference::procedural(fmt::format("cotangent.{}", i), c.seed, map.sizes().vec());
    const at::Tensor part = (map * cotangent.to(map.scalar_type())).sum() / 100;
    loss = loss.defined() ? loss + part : part;
  }
  torch::autograd::backward({loss}, {});
  compare_parameters(
      stored, *model, [](const std::string& name) { return name; }, "backbone.");
  compare_features(stored, "eval.out.", model->evaluate(images).features_BCHW);
  expect_many(result, stored);
}

}  // namespace fcm::parity
