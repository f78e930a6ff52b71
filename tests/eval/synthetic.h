// Synthetic features with known answers.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

namespace fcm::eval {

struct Gaussians {
  at::Tensor features_ND, labels_N;
};

inline at::Tensor normal_numbers(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::detail::createCPUGenerator(seed), at::kFloat);
}

// `count` points of unit normal clouds around centers_CD. The labels cycle through the classes.
inline Gaussians gaussians(const at::Tensor& centers_CD, int64_t count, uint64_t seed) {
  const at::Tensor labels_N = at::arange(count).remainder(centers_CD.size(0));
  return {normal_numbers({count, centers_CD.size(1)}, seed) + centers_CD.index_select(0, labels_N),
          labels_N};
}

}  // namespace fcm::eval
