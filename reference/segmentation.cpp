#include "reference/segmentation.h"

#include <ATen/ATen.h>

namespace fcm::reference {
namespace {

at::Tensor conv_norm_act(const Layers& layers, const std::string& name, const at::Tensor& x_BCHW,
                         bool training) {
  const at::Tensor weight = layers.weight(name + ".conv.weight").to(layers.compute());
  const int64_t padding = weight.size(2) / 2;
  const at::Tensor mixed =
      at::conv2d(x_BCHW.to(layers.compute()), weight, {}, {1, 1}, {padding, padding});
  return layers.observed(name, layers.batch_norm(name + ".bn", mixed, training).relu_());
}

at::Tensor classify(const Layers& layers, const std::string& name, const at::Tensor& x_BCHW,
                    const SegmentationPass& pass) {
  at::Tensor x = x_BCHW;
  if (pass.dropout_BC.defined()) x = x * pass.dropout_BC.to(x.options()).unsqueeze(2).unsqueeze(3);
  return layers.conv(name, x);
}

at::Tensor doubled(const Layers& layers, const std::string& name, const at::Tensor& x_BCHW) {
  return at::conv_transpose2d(x_BCHW.to(layers.compute()),
                              layers.weight(name + ".weight").to(layers.compute()),
                              layers.weight(name + ".bias").to(layers.compute()), {2, 2});
}

}  // namespace

at::Tensor upsampled(const at::Tensor& map_BCHW, int64_t rows, int64_t cols) {
  return at::upsample_bilinear2d(map_BCHW, {rows, cols}, /*align_corners=*/false);
}

at::Tensor upernet(const Layers& layers, const std::string& name,
                   const std::vector<at::Tensor>& maps_BCHW, const SegmentationPass& pass) {
  const auto block = [&](const std::string& key, const at::Tensor& x) {
    return conv_norm_act(layers, name + key, x, pass.training);
  };
  const auto to_size_of = [](const at::Tensor& x, const at::Tensor& other) {
    return upsampled(x, other.size(2), other.size(3));
  };
  const at::Tensor& last = maps_BCHW.back();
  std::vector<at::Tensor> pyramid{last};
  for (const auto& [index, side] : {std::pair{0, 1}, {1, 2}, {2, 3}, {3, 6}}) {
    // The second of two children, after the pooling, so mmsegmentation's name ends in ".1".
    const std::string key = "psp_modules." + std::to_string(index) + ".1";
    pyramid.push_back(to_size_of(block(key, at::adaptive_avg_pool2d(last, {side, side})), last));
  }
  std::vector<at::Tensor> laterals(4), levels(4);
  for (size_t i = 0; i < 3; ++i) {
    laterals[i] = block("lateral_convs." + std::to_string(i), maps_BCHW[i]);
  }
  laterals[3] = block("bottleneck", at::cat(pyramid, 1));
  for (size_t i = 3; i > 0; --i) {
    laterals[i - 1] = laterals[i - 1] + to_size_of(laterals[i], laterals[i - 1]);
  }
  for (size_t i = 0; i < 3; ++i) {
    levels[i] = block("fpn_convs." + std::to_string(i), laterals[i]);
  }
  levels[3] = laterals[3];
  for (size_t i = 1; i < 4; ++i) levels[i] = to_size_of(levels[i], levels[0]);
  const at::Tensor all = block("fpn_bottleneck", at::cat(levels, 1));
  return classify(layers, name + "conv_seg", all, pass);
}

at::Tensor fcn(const Layers& layers, const std::string& name, const at::Tensor& map_BCHW,
               const SegmentationPass& pass) {
  return classify(layers, name + "conv_seg",
                  conv_norm_act(layers, name + "convs.0", map_BCHW, pass.training), pass);
}

at::Tensor fourth_map(const Layers& layers, const std::string& name, const at::Tensor& map_BCHW,
                      const SegmentationPass& pass) {
  const at::Tensor halved = layers.conv(name + ".0", map_BCHW, /*stride=*/2);
  return at::gelu(layers.batch_norm(name + ".1", halved, pass.training));
}

std::vector<at::Tensor> vit_neck(const Layers& layers, const std::string& name,
                                 const std::vector<at::Tensor>& maps_BCHW,
                                 const SegmentationPass& pass) {
  const std::string four = name + ".upsample_4x.";
  const at::Tensor twice = at::gelu(
      layers.batch_norm(four + "1", doubled(layers, four + "0", maps_BCHW[0]), pass.training));
  return {doubled(layers, four + "3", twice),
          doubled(layers, name + ".upsample_2x.0", maps_BCHW[1]), maps_BCHW[2],
          at::max_pool2d(maps_BCHW[3], {2, 2}, {2, 2})};
}

at::Tensor segmentation_loss(const at::Tensor& logits_BKHW, const at::Tensor& labels_BHW) {
  const auto wide = at::promote_types(logits_BKHW.scalar_type(), at::kFloat);
  const at::Tensor logits = upsampled(logits_BKHW.to(wide), labels_BHW.size(1), labels_BHW.size(2));
  return at::cross_entropy_loss(logits, labels_BHW.to(at::kLong), {}, at::Reduction::None, 255)
      .mean();
}

double segmentation_accuracy(const at::Tensor& logits_BKHW, const at::Tensor& labels_BHW) {
  const at::Tensor best =
      upsampled(logits_BKHW.detach(), labels_BHW.size(1), labels_BHW.size(2)).argmax(1);
  return 100 * best.eq(labels_BHW).to(at::kDouble).mean().item<double>();
}

}  // namespace fcm::reference
