#include "fcm/nn/conv_start.h"

#include <ATen/ATen.h>

#include <cmath>

namespace fcm::nn {
namespace {

struct Fans {
  double in, out;
};

Fans fans_of(const std::vector<int64_t>& published) {
  double window = 1;
  for (size_t i = 2; i < published.size(); ++i) window *= static_cast<double>(published[i]);
  return {window * static_cast<double>(published[1]), window * static_cast<double>(published[0])};
}

// A normal distribution of std 1 / sqrt(fan_in), truncated at two stds, like timm's lecun_normal_:
// a uniform draw mapped through the inverse distribution function, then rescaled so that the std
// after truncation is 1 / sqrt(fan_in). `uniform` holds the draws, within 1 / sqrt(fan_in).
void cut_at_two_stds(const at::Tensor& uniform, double fan_in) {
  constexpr double kStdOfCutNormal = 0.87962566103423978;
  const double half_mass = std::erf(2 / std::sqrt(2.0));
  const at::Tensor share = uniform.to(at::kDouble) * (std::sqrt(fan_in) * half_mass);
  uniform.copy_(share.erfinv() * (std::sqrt(2.0) / (kStdOfCutNormal * std::sqrt(fan_in))));
}

}  // namespace

at::Tensor add_weight(const Scope& scope, const std::vector<int64_t>& published, ConvStart start,
                      const Layout& layout) {
  const auto add = [&](Init init) { return scope.add("weight", published, init, layout); };
  const Fans fans = fans_of(published);
  const at::NoGradGuard no_grad;
  at::Tensor weight;
  switch (start) {
    case ConvStart::kFanIn:
      return add(Init::kFanIn);
    case ConvStart::kNormal01:
      return add(Init::kNormal01);
    case ConvStart::kNormal001:
      return add(Init::kNormal01).mul_(0.1);
    case ConvStart::kCaffe2Xavier:
      return add(Init::kFanIn).mul_(std::sqrt(3.0));
    case ConvStart::kLecunTruncated:
      weight = add(Init::kFanIn);
      cut_at_two_stds(weight, fans.in);
      return weight;
    case ConvStart::kFanOut:
      break;
  }
  return add(Init::kNormal02).mul_(std::sqrt(2 / fans.out) / 0.02);
}

at::Tensor add_bias(const Scope& scope, int64_t size, const std::vector<int64_t>& published,
                    ConvStart start) {
  if (start != ConvStart::kFanIn) return scope.add("bias", {size}, Init::kZeros);
  return scope.add("bias", {size}, Init::kFanIn, {}, static_cast<int64_t>(fans_of(published).in));
}

}  // namespace fcm::nn
