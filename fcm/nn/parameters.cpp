#include "fcm/nn/parameters.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <cmath>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/base/weight_decay.h"
#include "fcm/ops/profile_scope.h"

namespace fcm::nn {
namespace {

int64_t product(const std::vector<int64_t>& shape, size_t from = 0) {
  int64_t elements = 1;
  for (size_t i = from; i < shape.size(); ++i) elements *= shape[i];
  return elements;
}

at::Tensor normal(KeyedRandom& random, const std::vector<int64_t>& shape, double stddev) {
  at::Tensor values = at::empty(shape, at::kFloat);
  auto* out = values.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    out[i] = static_cast<float>(stddev * random.normal());
  }
  return values;
}

// Truncated normal: draws beyond `cut` stds are drawn again.
at::Tensor truncated_normal(KeyedRandom& random, const std::vector<int64_t>& shape, double stddev,
                            double cut) {
  at::Tensor values = at::empty(shape, at::kFloat);
  auto* out = values.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    double draw = random.normal();
    while (std::abs(draw) > cut) draw = random.normal();
    out[i] = static_cast<float>(stddev * draw);
  }
  return values;
}

at::Tensor uniform(KeyedRandom& random, const std::vector<int64_t>& shape, double bound) {
  at::Tensor values = at::empty(shape, at::kFloat);
  auto* out = values.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    out[i] = static_cast<float>((2.0 * static_cast<double>(random.uniform()) - 1.0) * bound);
  }
  return values;
}

// Initial values in the published shape, float32: they depend on neither layout nor type of the
// model.
at::Tensor start_values(uint64_t seed, const std::string& name, const std::vector<int64_t>& shape,
                        Init init, int64_t fan_in) {
  KeyedRandom random(seed, Purpose::kInit, 0, fnv1a64(name.data(), name.size()));
  if (fan_in == 0) fan_in = product(shape, 1);
  switch (init) {
    case Init::kZeros:
      return at::zeros(shape, at::kFloat);
    case Init::kOnes:
      return at::ones(shape, at::kFloat);
    case Init::kXavierUniform:
      return uniform(random, shape, std::sqrt(6.0 / static_cast<double>(fan_in + shape[0])));
    case Init::kFanIn:
      return uniform(random, shape, 1.0 / std::sqrt(static_cast<double>(fan_in)));
    // timm's trunc_normal_ truncates at -2 and 2, 100 stds away, so a plain normal is the same.
    case Init::kNormal02:
      return normal(random, shape, 0.02);
    case Init::kNormal01:
      return normal(random, shape, 0.01);
    case Init::kTruncatedNormal02:
      return truncated_normal(random, shape, 0.02, 1);
    case Init::kLecunNormal: {
      constexpr double kLeft = 0.87962566103423978;  // std of a normal truncated at two stds
      return truncated_normal(random, shape, 1 / (kLeft * std::sqrt(static_cast<double>(fan_in))),
                              2);
    }
    case Init::kNormal2e5:
      break;
  }
  return normal(random, shape, 2e-5);
}

at::Tensor index_of(const std::vector<int64_t>& order) {
  return at::tensor(at::ArrayRef<int64_t>(order), at::kLong);
}

// Rows regrouped so that `order` can index them: [R, ...] -> [R / group, group, ...].
at::Tensor grouped(const at::Tensor& rows, int64_t group) {
  std::vector<int64_t> shape = rows.sizes().vec();
  shape[0] /= group;
  shape.insert(shape.begin() + 1, group);
  return rows.reshape(shape);
}

}  // namespace

at::Tensor to_held(const at::Tensor& published, const Layout& layout) {
  switch (layout.kind) {
    case Layout::Kind::kSame:
      return published.contiguous();
    case Layout::Kind::kTaps:
      return published.reshape({published.size(0), -1}).t().contiguous();
    case Layout::Kind::kRows: {
      const at::Tensor rows =
          grouped(published, layout.group).index_select(0, index_of(layout.order));
      return published.dim() == 4 ? rows.reshape({published.size(0), published.size(1)})
                                  : rows.reshape(published.sizes());
    }
    case Layout::Kind::kColumns:
      return to_held(published.t(), {Layout::Kind::kRows, layout.order, layout.group})
          .t()
          .contiguous();
    case Layout::Kind::kMergeCells:
      break;
  }
  // [O, C, p, p] -> [O, p*p, C], positions in stored order -> [O, p*p*C]
  const int64_t out = published.size(0), in = published.size(1);
  return published.permute({0, 2, 3, 1})
      .reshape({out, -1, in})
      .index_select(1, index_of(layout.order))
      .reshape({out, -1});
}

at::Tensor to_published(const at::Tensor& held, const Layout& layout,
                        at::IntArrayRef published_shape) {
  const auto inverse = [&] { return index_of(layout.order).argsort(); };
  switch (layout.kind) {
    case Layout::Kind::kSame:
      return held.reshape(published_shape).contiguous();
    case Layout::Kind::kTaps:
      return held.t().reshape(published_shape).contiguous();
    case Layout::Kind::kRows:
      return grouped(held, layout.group).index_select(0, inverse()).reshape(published_shape);
    case Layout::Kind::kColumns:
      return to_published(held.t(), {Layout::Kind::kRows, layout.order, layout.group},
                          {published_shape[1], published_shape[0]})
          .t()
          .contiguous();
    case Layout::Kind::kMergeCells:
      break;
  }
  const int64_t out = published_shape[0], in = published_shape[1], side = published_shape[2];
  return held.reshape({out, side * side, in})
      .index_select(1, inverse())
      .reshape({out, side, side, in})
      .permute({0, 3, 1, 2})
      .contiguous();
}

bool Parameter::decays() const { return has_weight_decay(name, published_shape.size()); }

at::Tensor Parameters::add(const std::string& name, std::vector<int64_t> published_shape, Init init,
                           const Layout& layout, int64_t fan_in) {
  const at::Tensor start = start_values(seed_, name, published_shape, init, fan_in);
  at::Tensor value = to_held(start, layout).to(held_);
  value.requires_grad_(true);
  parameters_.push_back({name, std::move(published_shape), layout, true, value,
                         at::empty({0}, held_.dtype(at::kBFloat16))});
  return value;
}

at::Tensor Parameters::add_table(const std::string& name, const at::Tensor& value, bool trainable) {
  at::Tensor held = value.to(held_, /*non_blocking=*/false, /*copy=*/true);
  held.requires_grad_(trainable);
  parameters_.push_back(
      {name, value.sizes().vec(), {}, trainable, held, at::empty({0}, held_.dtype(at::kBFloat16))});
  return held;
}

void Parameters::flatten() {
  const at::Tensor values_E = at::empty({trainable_elements()}, held_);
  std::vector<at::Tensor> leaves;
  int64_t offset = 0;
  for (const Parameter& parameter : parameters_) {
    if (!parameter.trainable) continue;
    const int64_t elements = parameter.value.numel();
    values_E.narrow(0, offset, elements)
        .view(parameter.value.sizes())
        .copy_(parameter.value.detach());
    leaves.push_back(parameter.value);
    offset += elements;
  }
  hold_values_in(values_E);
  gradients_.emplace(leaves);
  hold_gradients_in(at::zeros({offset}, held_));
}

void Parameters::hold_values_in(const at::Tensor& buffer_E) {
  require(buffer_E.dim() == 1 && buffer_E.numel() == trainable_elements(),
          "Parameters: expected a buffer for {} values, got {}", trainable_elements(),
          c10::str(buffer_E.sizes()));
  flat_values_ = buffer_E;
  int64_t offset = 0;
  for (Parameter& parameter : parameters_) {
    if (!parameter.trainable) continue;
    const int64_t elements = parameter.value.numel();
    parameter.value.set_data(buffer_E.narrow(0, offset, elements).view(parameter.value.sizes()));
    offset += elements;
  }
}

void Parameters::hold_gradients_in(const at::Tensor& buffer_E) {
  require(buffer_E.dim() == 1 && buffer_E.numel() == trainable_elements(),
          "Parameters: expected a buffer for {} gradients, got {}", trainable_elements(),
          c10::str(buffer_E.sizes()));
  gradients_->move_to(buffer_E);
}

void Parameters::zero_gradients() { gradients_->zero(); }

at::Tensor Parameters::flat_gradients() const { return gradients_->all(); }

void Parameters::round(at::ScalarType compute) {
  if (compute != at::kBFloat16) return;
  require(flat_values_.defined(), "Parameters: expected flatten() before round()");
  if (!flat_rounded_.defined()) {
    flat_rounded_ = at::empty({trainable_elements()}, held_.dtype(at::kBFloat16));
    int64_t offset = 0;
    for (Parameter& parameter : parameters_) {
      if (!parameter.trainable) continue;
      const int64_t elements = parameter.value.numel();
      parameter.rounded.set_data(
          flat_rounded_.narrow(0, offset, elements).view(parameter.value.sizes()));
      offset += elements;
    }
  }
  const ops::ProfileScope timed(
      "weights to bfloat16", 0,
      static_cast<double>(flat_values_.nbytes() + flat_rounded_.nbytes()));
  const at::NoGradGuard no_grad;
  flat_rounded_.detach().copy_(flat_values_);
}

const Parameter& Parameters::find(std::string_view name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.name == name) return parameter;
  }
  throw std::logic_error(fmt::format("no parameter named {}", name));
}

int64_t Parameters::trainable_elements() const {
  int64_t elements = 0;
  for (const Parameter& parameter : parameters_) {
    if (parameter.trainable) elements += parameter.value.numel();
  }
  return elements;
}

void Parameters::set_published(const Parameter& parameter, const at::Tensor& published) {
  require(published.sizes().vec() == parameter.published_shape, "{}: got shape [{}], expected [{}]",
          parameter.name, fmt::join(published.sizes(), ", "),
          fmt::join(parameter.published_shape, ", "));
  const at::NoGradGuard no_grad;
  at::Tensor value = parameter.value;
  value.copy_(to_held(published, parameter.layout).reshape(value.sizes()));
}

at::Tensor Parameters::published(const Parameter& parameter) const {
  return to_published(parameter.value.detach().cpu(), parameter.layout, parameter.published_shape);
}

Scope Scope::operator/(std::string_view child) const {
  Scope inner = *this;
  inner.prefix_ += std::string(child) + ".";
  return inner;
}

at::Tensor Scope::add(std::string_view leaf, std::vector<int64_t> published_shape, Init init,
                      const Layout& layout, int64_t fan_in) const {
  return parameters_->add(prefix_ + std::string(leaf), std::move(published_shape), init, layout,
                          fan_in);
}

at::Tensor Scope::rounded(std::string_view leaf) const {
  return parameters_->find(prefix_ + std::string(leaf)).rounded;
}

at::Tensor Scope::add_table(std::string_view leaf, const at::Tensor& value, bool trainable) const {
  return parameters_->add_table(prefix_ + std::string(leaf), value, trainable);
}

}  // namespace fcm::nn
