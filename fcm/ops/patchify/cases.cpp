#include "fcm/ops/cases.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <utility>

#include "fcm/ops/patchify/op.h"

namespace fcm::ops {
namespace {

struct Shape {
  int64_t batch, rows, cols;  // grid of patches
  int64_t channels, slots;
  PatchGeometry geometry;
};

Normalisation normalisation_for(int64_t channels) {
  Normalisation normalisation;
  for (int64_t channel = 0; channel < channels; ++channel) {
    normalisation.mean.push_back(0.5 - 0.04 * static_cast<double>(channel));
    normalisation.stddev.push_back(0.22 + 0.01 * static_cast<double>(channel));
  }
  return normalisation;
}

at::Tensor random_orders(const Shape& shape, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  at::Tensor orders = at::empty({shape.batch, shape.slots}, at::kLong);
  for (int64_t image = 0; image < shape.batch; ++image) {
    orders[image].copy_(at::randperm(shape.rows * shape.cols, generator).narrow(0, 0, shape.slots));
  }
  return orders;
}

OpCase make(std::string name, Shape shape) {
  OpCase result;
  result.name = std::move(name);
  const int64_t side = shape.geometry.patch_side();
  result.inputs = [shape, side](at::ScalarType dtype, uint64_t seed) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    const at::Tensor images =
        at::randint(256, {shape.batch, shape.rows * side, shape.cols * side, shape.channels},
                    generator, at::TensorOptions().dtype(at::kByte));
    // The last, empty tensor carries the type of the result.
    return OpCase::Inputs{images, random_orders(shape, seed + 1), at::empty({0}, dtype)};
  };
  result.run = [shape](const OpCase::Inputs& in) {
    return patchify(in[0], in[1], shape.geometry, normalisation_for(shape.channels),
                    in[2].scalar_type());
  };
  result.reference = [shape](const OpCase::Inputs& in) {
    return patchify_reference(in[0], in[1], shape.geometry, normalisation_for(shape.channels),
                              in[2].scalar_type());
  };
  const int64_t values = shape.batch * shape.slots * side * side * shape.channels;
  result.forward_flops = 0;
  result.forward_elements = 1.25 * static_cast<double>(values);  // bytes in, floats out
  return result;
}

}  // namespace

OpCases patchify_cases() {
  OpCases all{"patchify", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("base", {8, 14, 14, 3, 196, {{4, 2, 2}}})));
  cases.push_back(timed(make("demo", {64, 7, 7, 1, 49, {{1, 2, 2}}})));
  cases.push_back(make("vit", {2, 3, 5, 3, 15, {{16}}}));
  cases.push_back(make("one_view_kept", {3, 4, 4, 3, 4, {{4, 2, 2}}}));
  cases.push_back(make("not_square", {2, 2, 5, 3, 10, {{2, 2}}}));
  cases.push_back(make("stride_3", {2, 2, 2, 2, 4, {{2, 3}}}));
  cases.push_back(make("one_patch", {1, 1, 1, 1, 1, {{4, 2, 2}}}));
  cases.push_back(make("no_images", {0, 2, 2, 3, 4, {{4, 2, 2}}}));
  return all;
}

}  // namespace fcm::ops
