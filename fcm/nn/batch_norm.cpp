#include "fcm/nn/batch_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::nn {
namespace {

struct HeldGroup : torch::CustomClassHolder {
  explicit HeldGroup(std::shared_ptr<dist::Group> held) : group(std::move(held)) {}
  std::shared_ptr<dist::Group> group;
};

// The sum over all ranks. Every rank's loss depends on every rank's part, so backward also sums the
// gradients over all ranks.
class SumOverRanks : public torch::autograd::Function<SumOverRanks> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& mine,
                            const std::shared_ptr<dist::Group>& group) {
    context->saved_data["group"] = c10::IValue::make_capsule(c10::make_intrusive<HeldGroup>(group));
    at::Tensor sum = mine.contiguous().clone();
    group->sum(sum);
    return sum;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto held = context->saved_data["group"].toCapsule();
    at::Tensor sum = gradients[0].contiguous().clone();
    static_cast<HeldGroup&>(*held).group->sum(sum);
    return {sum, {}};
  }
};

// [C], broadcast along dimension 1 of x [N, C, ...].
at::Tensor along_channels(const at::Tensor& values_C, const at::Tensor& x) {
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[1] = x.size(1);
  return values_C.to(x.scalar_type()).view(shape);
}

// Sums over everything but the channels, [C], float64.
at::Tensor sums(const at::Tensor& x) {
  return x.transpose(0, 1).flatten(1).sum(1, /*keepdim=*/false, at::kDouble);
}

void check_input(const at::Tensor& x, const at::Tensor& weight_C) {
  require(
      x.dim() >= 2 && x.size(1) == weight_C.numel(),
      "batch_norm: got {} dimensions, {} channels, expected two dimensions or more and {} channels",
      x.dim(), x.dim() >= 2 ? x.size(1) : 0, weight_C.numel());
}

at::Tensor normalised(const at::Tensor& centred, const at::Tensor& variance_C,
                      const at::Tensor& weight_C, const at::Tensor& bias_C, double epsilon) {
  const at::Tensor scale_C = (variance_C + epsilon).rsqrt() * weight_C;
  return centred * along_channels(scale_C, centred) + along_channels(bias_C, centred);
}

}  // namespace

double running_divisor(double count, const dist::Group& group, const BatchNormOptions& options) {
  const bool biased = options.over_ranks == OverRanks::kWeightedRanks && group.size() > 1;
  return biased ? count : count - 1;
}

at::Tensor batch_norm(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      const RunningStatistics& running, const std::shared_ptr<dist::Group>& group,
                      const BatchNormOptions& options) {
  check_input(x, weight_C);
  const at::Tensor wide = x.to(weight_C.scalar_type());
  const at::Tensor own = at::full({1}, static_cast<double>(x.numel() / x.size(1)),
                                  at::TensorOptions(at::kDouble).device(x.device()));
  group->sum(own);
  const double count = own.item<double>();
  if (count == 0 && options.over_ranks == OverRanks::kWeightedRanks) {
    return batch_norm_by(running, x, weight_C, bias_C, options);
  }
  require(count > 1, "batch_norm: expected two or more values per channel, got {}", count);
  // Two all-reduces, the mean first: the mean of squares minus the squared mean would lose
  // precision if the mean is far from 0.
  const at::Tensor mean_C = SumOverRanks::apply(sums(wide), group) / count;
  const at::Tensor centred = wide - along_channels(mean_C, wide);
  const at::Tensor squares_C = SumOverRanks::apply(sums(centred.square()), group);
  {
    const at::NoGradGuard no_grad;
    running.mean_C.lerp_(mean_C.to(running.mean_C.scalar_type()), options.momentum);
    const double divisor = running_divisor(count, *group, options);
    running.variance_C.lerp_((squares_C / divisor).to(running.variance_C.scalar_type()),
                             options.momentum);
  }
  return normalised(centred, squares_C / count, weight_C, bias_C, options.epsilon)
      .to(x.scalar_type());
}

at::Tensor batch_norm_by(const RunningStatistics& running, const at::Tensor& x,
                         const at::Tensor& weight_C, const at::Tensor& bias_C,
                         const BatchNormOptions& options) {
  check_input(x, weight_C);
  const at::Tensor wide = x.to(weight_C.scalar_type());
  return normalised(wide - along_channels(running.mean_C, wide), running.variance_C, weight_C,
                    bias_C, options.epsilon)
      .to(x.scalar_type());
}

}  // namespace fcm::nn
