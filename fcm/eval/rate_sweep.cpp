#include "fcm/eval/rate_sweep.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "fcm/base/random.h"

namespace fcm::eval {
namespace {

// The linear layers of all R learning rates, stacked: weights [R * C, D].
class Layers {
 public:
  Layers(const SweepOptions& options, int64_t classes, int64_t dim)
      : options_(options),
        rates_(std::ssize(options.rates)),
        classes_(classes),
        rates_R11_(at::tensor(options.rates, at::kFloat).view({-1, 1, 1})),
        weights_(at::zeros({rates_ * classes, dim})),
        bias_(at::zeros({rates_ * classes})),
        weights_momentum_(at::zeros_like(weights_)),
        bias_momentum_(at::zeros_like(bias_)) {}

  at::Tensor scores(const at::Tensor& features_BD) const {
    return at::addmm(bias_, features_BD, weights_.t()).view({-1, rates_, classes_});  // [B, R, C]
  }

  // One SGD step on the mean cross-entropy; rates are multiplied by `share`.
  void step(const at::Tensor& features_BD, const at::Tensor& labels_B, double share) {
    at::Tensor gradient = scores(features_BD).softmax(-1);  // [B, R, C]
    const at::Tensor places = labels_B.view({-1, 1, 1}).expand({-1, rates_, 1});
    gradient.scatter_add_(2, places, at::full(places.sizes(), -1.0F));
    gradient = gradient.flatten(1).div_(static_cast<double>(features_BD.size(0)));  // [B, R * C]
    weights_momentum_.mul_(options_.momentum).add_(gradient.t().mm(features_BD));
    bias_momentum_.mul_(options_.momentum).add_(gradient.sum(0));
    const auto by_rate = [&](const at::Tensor& change) {
      return (change.view({rates_, classes_, -1}) * rates_R11_).mul_(share);
    };
    weights_.view({rates_, classes_, -1}).sub_(by_rate(weights_momentum_));
    bias_.view({rates_, classes_, -1}).sub_(by_rate(bias_momentum_));
  }

 private:
  const SweepOptions& options_;
  int64_t rates_, classes_;
  at::Tensor rates_R11_, weights_, bias_, weights_momentum_, bias_momentum_;
};

// Accuracy of one rate's layer, computed in blocks.
Accuracy accuracy_of(const Layers& layers, int64_t rate, const at::Tensor& features_MD,
                     const at::Tensor& labels_M) {
  constexpr int64_t kBlock = 8192;
  AccuracyCount count(-std::numeric_limits<double>::infinity());
  for (int64_t first = 0; first < features_MD.size(0); first += kBlock) {
    const int64_t rows = std::min(kBlock, features_MD.size(0) - first);
    count.add(layers.scores(features_MD.narrow(0, first, rows)).select(1, rate),
              labels_M.narrow(0, first, rows));
  }
  return count.percent();
}

at::Tensor keyed_order(int64_t size, uint64_t seed, uint64_t epoch) {
  const KeyedPermutation order(static_cast<uint64_t>(size), seed, Purpose::kProbe, epoch);
  std::vector<int64_t> places(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    places[static_cast<size_t>(i)] = static_cast<int64_t>(order(static_cast<uint64_t>(i)));
  }
  return at::tensor(places, at::kLong);
}

void train(Layers& layers, const at::Tensor& features_ND, const at::Tensor& labels_N,
           const SweepOptions& options) {
  const int64_t images = features_ND.size(0);
  const int64_t batch = std::min(options.batch_size, images);
  const int64_t steps = images / batch;
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    const at::Tensor order = keyed_order(images, options.seed, static_cast<uint64_t>(epoch + 1));
    for (int64_t step = 0; step < steps; ++step) {
      const double done =
          static_cast<double>(epoch * steps + step) / static_cast<double>(options.epochs * steps);
      const at::Tensor chosen = order.narrow(0, step * batch, batch);
      layers.step(features_ND.index_select(0, chosen), labels_N.index_select(0, chosen),
                  (1 + std::cos(std::numbers::pi * done)) / 2);
    }
  }
}

}  // namespace

SweepResult rate_sweep(const at::Tensor& train_ND, const at::Tensor& train_labels_N,
                       const at::Tensor& test_MD, const at::Tensor& test_labels_M, int64_t classes,
                       const SweepOptions& options) {
  check_features(train_ND, train_labels_N, classes, "training");
  check_features(test_MD, test_labels_M, classes, "test");
  const at::NoGradGuard no_grad;
  const at::Tensor wide_ND = train_ND.to(at::kFloat);
  const at::Tensor mean_D = wide_ND.mean(0);
  const at::Tensor scale_D = (wide_ND.var(0, /*unbiased=*/false) + 1e-6).rsqrt();
  const auto normalised = [&](const at::Tensor& features) {
    return (features.to(at::kFloat) - mean_D) * scale_D;
  };
  // A fixed pseudo-random order, so that the held-out images are of all classes even if the set is
  // sorted by class.
  const int64_t images = wide_ND.size(0);
  const auto asked =
      static_cast<int64_t>(std::llround(options.held_out * static_cast<double>(images)));
  const int64_t held = images > 1 ? std::clamp<int64_t>(asked, 1, images - 1) : 0;
  const at::Tensor order = keyed_order(images, options.seed, 0);
  const at::Tensor seen = order.narrow(0, held, images - held);
  const at::Tensor chosen = order.narrow(0, 0, std::max<int64_t>(held, 1));
  const at::Tensor features_ND = normalised(wide_ND);

  Layers layers(options, classes, wide_ND.size(1));
  train(layers, features_ND.index_select(0, seen), train_labels_N.index_select(0, seen), options);
  SweepResult result;
  const at::Tensor held_features = features_ND.index_select(0, chosen);
  const at::Tensor held_labels = train_labels_N.index_select(0, chosen);
  for (int64_t rate = 0; rate < std::ssize(options.rates); ++rate) {
    result.held_out_top1.push_back(accuracy_of(layers, rate, held_features, held_labels).top1);
  }
  const auto best = std::max_element(result.held_out_top1.begin(), result.held_out_top1.end()) -
                    result.held_out_top1.begin();
  static_cast<Accuracy&>(result) = accuracy_of(layers, best, normalised(test_MD), test_labels_M);
  result.rate = options.rates[static_cast<size_t>(best)];
  return result;
}

}  // namespace fcm::eval
