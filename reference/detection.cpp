#include "reference/detection.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace fcm::reference {
namespace {

constexpr double kChannelNormEpsilon = 1e-6;

at::Tensor map_norm(const Layers& layers, const std::string& name, const at::Tensor& x_BCHW,
                    bool training) {
  if (layers.has(name + ".running_mean")) return layers.batch_norm(name, x_BCHW, training);
  return layers.layer_norm(name, x_BCHW.permute({0, 2, 3, 1}), kChannelNormEpsilon)
      .permute({0, 3, 1, 2});
}

at::Tensor normed_conv(const Layers& layers, const std::string& name, const at::Tensor& x_BCHW,
                       bool training) {
  const at::Tensor weight = layers.weight(name + ".weight").to(layers.compute());
  const int64_t padding = weight.size(2) / 2;
  const at::Tensor mixed =
      at::conv2d(x_BCHW.to(layers.compute()), weight, {}, {1, 1}, {padding, padding});
  return layers.observed(name, map_norm(layers, name + ".norm", mixed, training));
}

at::Tensor transposed_conv(const Layers& layers, const std::string& name,
                           const at::Tensor& x_BCHW) {
  return at::conv_transpose2d(x_BCHW.to(layers.compute()),
                              layers.weight(name + ".weight").to(layers.compute()),
                              layers.weight(name + ".bias").to(layers.compute()), {2, 2});
}

at::Tensor last_level(const at::Tensor& map_BCHW) {
  return at::max_pool2d(map_BCHW, {1, 1}, {2, 2});
}

at::Tensor half_by_pooling(const at::Tensor& map_BCHW) {
  return at::max_pool2d(map_BCHW, {2, 2}, {2, 2});
}

at::Tensor float_at_least(const at::Tensor& x) {
  return x.to(at::promote_types(x.scalar_type(), at::kFloat));
}

// [B, 3 * K, H, W] -> [B, H * W * 3, K]
at::Tensor by_anchor(const at::Tensor& map, int64_t numbers) {
  const int64_t batch = map.size(0), anchors = map.size(1) / numbers;
  return map.view({batch, anchors, numbers, map.size(2), map.size(3)})
      .permute({0, 3, 4, 1, 2})
      .reshape({batch, -1, numbers});
}

}  // namespace

std::vector<at::Tensor> feature_pyramid(const Layers& layers, const std::string& name,
                                        const std::vector<at::Tensor>& maps_BCHW, bool training) {
  std::vector<at::Tensor> levels(4);
  at::Tensor merged;
  for (size_t i = 4; i-- > 0;) {
    const std::string level = std::to_string(i + 2);
    const at::Tensor lateral =
        normed_conv(layers, name + "fpn_lateral" + level, maps_BCHW[i], training);
    if (merged.defined()) {
      const at::Tensor doubled_map = at::upsample_nearest2d(
          merged, {2 * merged.size(2), 2 * merged.size(3)}, std::nullopt, std::nullopt);
      merged = lateral + doubled_map;
    } else {
      merged = lateral;
    }
    levels[i] = normed_conv(layers, name + "fpn_output" + level, merged, training);
  }
  levels.push_back(last_level(levels.back()));
  return levels;
}

std::vector<at::Tensor> simple_pyramid(const Layers& layers, const std::string& name,
                                       const at::Tensor& map_BCHW) {
  const auto mixed = [&](const std::string& level, int first, const at::Tensor& x) {
    const std::string key = name + "simfp_" + level + ".";
    return normed_conv(layers, key + std::to_string(first + 1),
                       normed_conv(layers, key + std::to_string(first), x, /*training=*/false),
                       false);
  };
  const std::string two = name + "simfp_2.";
  const at::Tensor twice = at::gelu(map_norm(
      layers, two + "1", transposed_conv(layers, two + "0", map_BCHW), /*training=*/false));
  std::vector<at::Tensor> levels{
      mixed("2", 4, transposed_conv(layers, two + "3", twice)),
      mixed("3", 1, transposed_conv(layers, name + "simfp_3.0", map_BCHW)), mixed("4", 0, map_BCHW),
      mixed("5", 1, half_by_pooling(map_BCHW))};
  levels.push_back(last_level(levels.back()));
  return levels;
}

std::vector<at::Tensor> vit_adaptor(const Layers& layers, const std::string& name,
                                    const std::vector<at::Tensor>& maps_BCHW) {
  const std::string first = name + "ms_adaptor.0.";
  const at::Tensor twice = transposed_conv(layers, first + "0", maps_BCHW[0]);
  const at::Tensor& scale = layers.weight(first + "1.weight");
  const at::Tensor normed = at::group_norm(twice.to(scale.scalar_type()), 32, scale,
                                           layers.weight(first + "1.bias"), 1e-5);
  return {transposed_conv(layers, first + "3", at::gelu(normed)),
          transposed_conv(layers, name + "ms_adaptor.1", maps_BCHW[1]), maps_BCHW[2],
          half_by_pooling(maps_BCHW[3])};
}

at::Tensor RpnMaps::logits() const { return by_anchor(logits_BAHW, 1).squeeze(2); }
at::Tensor RpnMaps::deltas() const { return by_anchor(deltas_BDHW, 4); }

RpnMaps rpn_head(const Layers& layers, const std::string& name, const at::Tensor& map_BCHW) {
  at::Tensor x = map_BCHW;
  for (const char* key : {"conv.conv0", "conv.conv1"}) {
    x = at::relu(layers.conv(name + key, x, /*stride=*/1, /*padding=*/1));
  }
  return {float_at_least(layers.conv(name + "objectness_logits", x)),
          float_at_least(layers.conv(name + "anchor_deltas", x))};
}

BoxHeadResult box_head(const Layers& layers, const std::string& name, const at::Tensor& pooled_RCPP,
                       bool training) {
  at::Tensor x = pooled_RCPP;
  for (const char* key : {"box_head.conv1", "box_head.conv2", "box_head.conv3", "box_head.conv4"}) {
    x = at::relu(normed_conv(layers, name + key, x, training));
  }
  const at::Tensor features = at::relu(layers.linear(name + "box_head.fc1", x.flatten(1)));
  return {features, float_at_least(layers.linear(name + "box_predictor.cls_score", features)),
          float_at_least(layers.linear(name + "box_predictor.bbox_pred", features))};
}

at::Tensor mask_head(const Layers& layers, const std::string& name, const at::Tensor& pooled_RCPP,
                     bool training) {
  at::Tensor x = pooled_RCPP;
  for (const char* key : {"mask_fcn1", "mask_fcn2", "mask_fcn3", "mask_fcn4"}) {
    x = at::relu(normed_conv(layers, name + key, x, training));
  }
  x = at::relu(transposed_conv(layers, name + "deconv", x));
  return float_at_least(layers.conv(name + "predictor", x));
}

RpnLossPair rpn_losses(const at::Tensor& logits_BA, const at::Tensor& deltas_BA4,
                       const at::Tensor& labels_BA, const at::Tensor& targets_BA4,
                       double per_image) {
  const double divisor = per_image * static_cast<double>(logits_BA.size(0));
  const at::Tensor counts = labels_BA >= 0, positive = labels_BA == 1;
  const at::Tensor entropy = at::binary_cross_entropy_with_logits(
      logits_BA.masked_select(counts), labels_BA.masked_select(counts).to(logits_BA.scalar_type()),
      {}, {}, at::Reduction::Sum);
  const at::Tensor differences = (deltas_BA4 - targets_BA4).abs().sum(2).masked_select(positive);
  return {entropy / divisor, differences.sum() / divisor};
}

BoxLossPair box_losses(const at::Tensor& scores_RC, const at::Tensor& deltas_RD,
                       const at::Tensor& classes_R, const at::Tensor& targets_R4) {
  const int64_t background = scores_RC.size(1) - 1;
  at::Tensor sum = deltas_RD.sum() * 0;
  for (int64_t r = 0; r < classes_R.size(0); ++r) {
    const auto own = classes_R[r].item<int64_t>();
    if (own == background) continue;
    sum = sum + (deltas_RD[r].narrow(0, 4 * own, 4) - targets_R4[r]).abs().sum();
  }
  return {at::cross_entropy_loss(scores_RC, classes_R),
          sum / static_cast<double>(std::max<int64_t>(1, classes_R.size(0)))};
}

at::Tensor mask_loss(const at::Tensor& logits_RKMM, const at::Tensor& classes_R,
                     const at::Tensor& targets_RMM) {
  if (logits_RKMM.size(0) == 0) return logits_RKMM.sum() * 0;
  std::vector<at::Tensor> own;
  for (int64_t r = 0; r < classes_R.size(0); ++r) {
    own.push_back(logits_RKMM[r][classes_R[r].item<int64_t>()]);
  }
  const at::Tensor logits = at::stack(own);
  return at::binary_cross_entropy_with_logits(logits, targets_RMM.to(logits.scalar_type()));
}

std::vector<at::Tensor> synced_batch_norm(const std::vector<at::Tensor>& x,
                                          const std::vector<at::Tensor>& weights,
                                          const std::vector<at::Tensor>& biases,
                                          const at::Tensor& running_mean,
                                          const at::Tensor& running_var) {
  at::Tensor mean = at::zeros_like(running_mean), mean_square = at::zeros_like(running_mean);
  int64_t images = 0;
  for (const at::Tensor& of_rank : x) {
    const int64_t own = of_rank.size(0);
    if (own == 0) continue;
    mean = mean + static_cast<double>(own) * of_rank.mean({0, 2, 3});
    mean_square = mean_square + static_cast<double>(own) * of_rank.square().mean({0, 2, 3});
    images += own;
  }
  const auto divisor = static_cast<double>(std::max<int64_t>(1, images));
  mean = mean / divisor;
  const at::Tensor variance = mean_square / divisor - mean.square();
  if (images > 0) {
    const at::NoGradGuard no_grad;
    running_mean.add_(0.1 * (mean - running_mean));
    running_var.add_(0.1 * (variance - running_var));
  }
  std::vector<at::Tensor> results;
  for (size_t rank = 0; rank < x.size(); ++rank) {
    const at::Tensor scale = weights[rank] * (variance + 1e-5).rsqrt();
    const at::Tensor shift = biases[rank] - mean * scale;
    results.push_back(x[rank] * scale.view({1, -1, 1, 1}) + shift.view({1, -1, 1, 1}));
  }
  return results;
}

}  // namespace fcm::reference
