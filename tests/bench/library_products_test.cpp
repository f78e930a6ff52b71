// The matrix product of each library that `bench` measures equals a plain product.
#include "bench/library_products.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace fcm::bench {
namespace {

TEST(LibraryProducts, EqualAPlainProduct) {
  const at::Tensor x_MI = at::randn({37, 19}), weight_OI = at::randn({23, 19});
  const at::Tensor dy_MO = at::randn({37, 23});
  const std::pair<at::Tensor, at::Tensor> all[] = {
      {x_MI, weight_OI.t()}, {dy_MO, weight_OI}, {dy_MO.t(), x_MI}};
  const auto libraries = library_products(at::kFloat);
  EXPECT_FALSE(libraries.empty());
  for (const LibraryProduct& library : libraries) {
    for (const auto& [left, right] : all) {
      const at::Tensor wanted = at::mm(left.to(at::kDouble), right.to(at::kDouble));
      const at::Tensor got = library.multiply(left, right);
      EXPECT_TRUE(at::allclose(got.to(at::kDouble), wanted, 1e-5, 1e-5)) << library.name;
      EXPECT_FALSE(at::allclose(got.to(at::kDouble), wanted + 0.01, 1e-5, 1e-5)) << library.name;
    }
  }
}

}  // namespace
}  // namespace fcm::bench
