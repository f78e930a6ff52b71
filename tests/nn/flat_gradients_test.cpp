// The first gradient of a step overwrites the flat buffer, later ones are added. Results are
// bit-identical to adding all of them to zeros.
#include "fcm/nn/flat_gradients.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <limits>

#include "tests/support/compare.h"

namespace fcm::nn {
namespace {

class FlatGradientsTest : public testing::TestWithParam<at::ScalarType> {
 protected:
  static constexpr int64_t kFirst = 100'003, kSecond = 6, kThird = 5;

  FlatGradientsTest() { gradients.move_to(at::zeros({kFirst + kSecond + kThird}, type)); }

  // A backward pass in which the first leaf gets the gradient `of_first` and the second one
  // `of_second` transposed.
  void pass(const at::Tensor& of_first, const at::Tensor& of_second) {
    const at::Tensor loss = (leaves[0] * of_first).sum() + (leaves[1].t() * of_second).sum();
    torch::autograd::backward({loss}, {});
  }

  at::ScalarType type = GetParam();
  std::vector<at::Tensor> leaves = {at::ones({kFirst}, type).requires_grad_(true),
                                    at::ones({2, 3}, type).requires_grad_(true),
                                    at::ones({kThird}, type).requires_grad_(true)};
  FlatGradients gradients{leaves};
};

// Random values, of which every eleventh is special: a zero of either sign, inf, NaN or subnormal.
at::Tensor special(int64_t count, at::ScalarType type) {
  at::manual_seed(7);
  at::Tensor values = at::randn({count}, type);
  const double kinds[] = {0.0,
                          -0.0,
                          std::numeric_limits<double>::infinity(),
                          -std::numeric_limits<double>::infinity(),
                          std::numeric_limits<double>::quiet_NaN(),
                          1e-44,
                          -1e-44};
  for (int64_t i = 0; i < count; i += 11) values[i] = kinds[(i / 11) % std::ssize(kinds)];
  return values;
}

TEST_P(FlatGradientsTest, AreToTheBitThoseAddedToZeros) {
  const at::Tensor first = special(kFirst, type), second = at::randn({3, 2}, type);
  const auto after_passes = [&](int passes) {
    for (int i = 0; i < passes; ++i) pass(first * (1 + i), second);
    return gradients.all().clone();
  };
  for (const int passes : {1, 2, 3}) {
    gradients.all().zero_();  // the wanted result: gradients are added to zeros
    const at::Tensor wanted_E = after_passes(passes);
    EXPECT_FALSE(std::signbit(wanted_E[11].item<double>())) << "0 + -0 is +0";
    gradients.all().fill_(std::numeric_limits<double>::quiet_NaN());
    gradients.zero();
    EXPECT_TRUE(test::same_bits(after_passes(passes), wanted_E)) << passes;
    // The third leaf gets no gradient in backward.
    EXPECT_TRUE(leaves[2].grad().eq(0).all().item<bool>());
    EXPECT_TRUE(leaves[1].grad().equal(second.t() * passes));
  }
  EXPECT_FALSE(test::same_bits(after_passes(1), after_passes(1)))
      << "without zero(), gradients must accumulate";
}

TEST_P(FlatGradientsTest, AreZeroWhereNoPassBringsAny) {
  gradients.all().fill_(3);
  gradients.zero();
  EXPECT_TRUE(gradients.all().eq(0).all().item<bool>());
  pass(at::ones({kFirst}, type), at::ones({3, 2}, type));  // all() wrote zeros; these are added
  EXPECT_EQ(gradients.all().sum().item<double>(), kFirst + kSecond);
}

TEST_P(FlatGradientsTest, MoveToANewBufferWithTheirState) {
  pass(at::ones({kFirst}, type), at::ones({3, 2}, type));
  const at::Tensor elsewhere_E = at::full({kFirst + kSecond + kThird}, 9, type);
  gradients.move_to(elsewhere_E);
  EXPECT_EQ(elsewhere_E.sum().item<double>(), kFirst + kSecond);
  gradients.zero();
  pass(at::ones({kFirst}, type), at::ones({3, 2}, type));
  EXPECT_TRUE(gradients.all().is_alias_of(elsewhere_E));
  EXPECT_EQ(elsewhere_E.sum().item<double>(), kFirst + kSecond);
}

// Takes the place of the hook that the gradient reducer registers on a leaf.
class Counter final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit Counter(std::vector<double>& seen) : seen_(seen) {}
  void operator()(const at::Tensor& leaf) override {
    seen_.push_back(leaf.grad()[0].item<double>());
  }

 private:
  std::vector<double>& seen_;
};

TEST_P(FlatGradientsTest, ReportsWhetherTheyAreFilled) {
  std::vector<double> seen;
  torch::autograd::impl::set_post_acc_grad_hooks(leaves[0], std::make_unique<Counter>(seen));
  for (int step = 0; step < 2; ++step) {
    gradients.zero();
    pass(at::ones({kFirst}, type), at::ones({3, 2}, type));
    pass(at::full({kFirst}, 4, type), at::ones({3, 2}, type));
  }
  EXPECT_EQ(seen, (std::vector<double>{1, 5, 1, 5}));
}

INSTANTIATE_TEST_SUITE_P(Types, FlatGradientsTest, testing::Values(at::kFloat, at::kDouble));

}  // namespace
}  // namespace fcm::nn
