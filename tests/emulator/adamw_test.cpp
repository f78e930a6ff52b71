// The CUDA kernels of adamw on the emulator.
#include "tests/emulator/emulated.h"
// Sources of the kernels.
#include "fcm/ops/adamw/cuda.cu"
// Operators that launch the kernels.
#include "fcm/ops/adamw/op.h"
#include "fcm/ops/cases.h"
#include "fcm/optim/adamw.h"
#include "fcm/optim/norm.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::same_bits;

TEST(EmulatedAdamW, EqualsTheReference) { test::emulator::expect_cases(adamw_cases(), 1e6); }

// The gradient has more 16-byte chunks than the grid has threads, so threads take several rounds.
// One length is a multiple of a chunk, the other is not.
TEST(EmulatedGradientNorm, SumsSquaresOfSeveralRounds) {
  const at::Tensor all = case_values({4400005}, at::kFloat, 1);
  for (const int64_t count : {4400004, 4400001}) {
    const at::Tensor gradient = all.narrow(0, 0, count);
    const at::Tensor parts = at::empty({gradient_norm_parts_cuda(count)}, at::kDouble);
    gradient_norm_cuda(gradient.const_data_ptr<float>(), count, parts.data_ptr<double>(), nullptr);
    const double wanted = gradient.to(at::kDouble).square().sum().item<double>();
    EXPECT_NEAR(parts.sum().item<double>(), wanted, wanted * 1e-12);
  }
}

TEST(EmulatedGradientNorm, IsWhatTheOptimizerAsksFor) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    at::Tensor gradient = case_values({5003}, dtype, 1);
    const double wanted = gradient.to(at::kDouble).norm().item<double>();
    const test::emulator::EmulatedCuda emulated;
    EXPECT_NEAR(optim::euclidean_norm(gradient), wanted, wanted * 1e-12);
    gradient[5002] = std::numeric_limits<double>::infinity();
    EXPECT_FALSE(std::isfinite(optim::euclidean_norm(gradient)));
  }
}

// Steps whose clipping and skipping are decided by kernels equal steps decided on the host.
TEST(EmulatedEnqueuedSteps, FollowThoseOfTheProcessor) {
  const auto made = [] {
    nn::Parameters parameters(1, at::kFloat);
    parameters.add("layer.weight", {40, 31}, nn::Init::kXavierUniform);
    parameters.add("layer.bias", {31}, nn::Init::kFanIn, {}, 40);
    parameters.flatten();
    return parameters;
  };
  optim::OptimOptions options;
  options.clip_norm = 0.5;
  nn::Parameters plain = made(), queued = made();
  optim::AdamW wanted(plain, options), emulated(queued, options);
  const at::Tensor loss = at::ones({}, at::kDouble);
  const auto step = [&](optim::AdamW& optimizer, nn::Parameters& parameters, int number) {
    parameters.flat_gradients().copy_(case_values({1271}, at::kFloat, number, 0.02 / number));
    optimizer.queued_lr().fill_(1e-2 * number);
    optimizer.queue_step(loss);
    AdamWState state{};
    memcpy(&state, optimizer.queued_state().const_data_ptr(), sizeof state);
    optimizer.count_queued(state);
    return state;
  };
  wanted.set_steps(2);
  emulated.set_steps(2);
  for (const int number : {1, 2, 3}) {
    const AdamWState here = step(wanted, plain, number);
    const test::emulator::EmulatedCuda cuda;
    const AdamWState there = step(emulated, queued, number);
    EXPECT_NEAR(there.norm, here.norm, 1e-12 * here.norm);
    EXPECT_EQ(there.loss, 1);
    EXPECT_EQ(there.applied, 1);
    EXPECT_EQ(emulated.steps(), 2 + number);
    EXPECT_EQ(compare(queued.flat_values(), plain.flat_values(), 1e-6).description, "") << number;
  }
  EXPECT_NE(compare(queued.flat_values(), made().flat_values(), 1e-6).description, "");
  const at::Tensor before = queued.flat_values().clone();
  loss.fill_(std::numeric_limits<double>::quiet_NaN());
  const test::emulator::EmulatedCuda cuda;
  EXPECT_EQ(step(emulated, queued, 4).applied, 0);
  EXPECT_EQ(emulated.steps(), 5);
  EXPECT_TRUE(same_bits(queued.flat_values(), before));
}

// Runs steps as a captured graph replays them: the host writes only the lr and the gradients.
class EmulatedAdamWSteps : public testing::Test {
 protected:
  static constexpr int64_t kCount = 2501;
  static constexpr double kBeta1 = 0.9, kBeta2 = 0.95, kEpsilon = 1e-8;

  const test::emulator::EmulatedCuda emulated_;
  at::Tensor value_ = case_values({kCount}, at::kFloat, 1), first_ = at::zeros({kCount}),
             second_ = at::zeros({kCount}), gradient_ = case_values({kCount}, at::kFloat, 2),
             rounded_ = at::empty({kCount}, at::kBFloat16);
  // Groups with arbitrary bounds. Elements 900 to 909 belong to no group.
  std::vector<AdamWGroupRange> scheduled_{
      {0, 7, 1, 0.05}, {7, 900, 0.5, 0}, {910, kCount, 1, 0.05}};
  std::vector<AdamWSegment> segments_{3};
  AdamWFactors factors_{};
  AdamWState state_{};
  double loss_ = 1;

  void step(double lr, double clip_norm) {
    state_.lr = lr;
    const at::Tensor parts = at::empty({gradient_norm_parts_cuda(kCount)}, at::kDouble);
    gradient_norm_cuda(gradient_.const_data_ptr<float>(), kCount, parts.data_ptr<double>(),
                       nullptr);
    adamw_begin_cuda(
        {parts.const_data_ptr<double>(), parts.numel(), &loss_, kBeta1, kBeta2, kEpsilon, clip_norm,
         scheduled_.data(), 3, &state_, segments_.data(), &factors_},
        nullptr);
    adamw_update_cuda(
        AdamWUpdate<float>{kCount, value_.data_ptr<float>(), first_.data_ptr<float>(),
                           second_.data_ptr<float>(), gradient_.const_data_ptr<float>(),
                           static_cast<Bfloat16*>(rounded_.data_ptr()), segments_.data(), 3,
                           &factors_, &state_.applied},
        nullptr);
  }

  // Runs the same steps by the reference in float64.
  struct Wanted {
    at::Tensor value, first, second;
    void step(const std::vector<AdamWGroupRange>& scheduled, const at::Tensor& gradient, double lr,
              double scale, double number) {
      std::vector<AdamWSegment> segments;
      for (const AdamWGroupRange& s : scheduled) {
        const double rate = lr * s.lr_scale;
        segments.push_back(
            {s.begin, s.end, rate / (1 - std::pow(kBeta1, number)), 1 - rate * s.weight_decay});
      }
      adamw_reference(
          {value, first, second, gradient.to(at::kDouble)}, segments,
          {scale, kBeta1, kBeta2, 1 / std::sqrt(1 - std::pow(kBeta2, number)), kEpsilon});
    }
  };
  Wanted wanted() const {
    return {value_.to(at::kDouble), first_.to(at::kDouble), second_.to(at::kDouble)};
  }
};

TEST_F(EmulatedAdamWSteps, FollowTheReferenceWithClippingAndTheirOwnCount) {
  Wanted reference = wanted();
  const double norm = gradient_.to(at::kDouble).norm().item<double>();
  for (int number = 1; number <= 3; ++number) {
    const double lr = 1e-2 * number, limit = number == 2 ? norm / 4 : 0;
    step(lr, limit);
    reference.step(scheduled_, gradient_, lr, number == 2 ? 0.25 : 1, number);
    EXPECT_EQ(state_.steps, number);
    EXPECT_EQ(state_.applied, 1);
    EXPECT_NEAR(state_.norm, norm, norm * 1e-12);
    EXPECT_EQ(compare(value_, reference.value, 1e-6).description, "") << number;
    EXPECT_EQ(compare(first_, reference.first, 1e-6).description, "") << number;
    EXPECT_EQ(compare(second_, reference.second, 1e-6).description, "") << number;
  }
  const at::Tensor copied = value_.to(at::kBFloat16);
  EXPECT_TRUE(same_bits(rounded_.narrow(0, 0, 900), copied.narrow(0, 0, 900)));
  EXPECT_TRUE(same_bits(rounded_.narrow(0, 910, 1591), copied.narrow(0, 910, 1591)));
  Wanted other = wanted();  // negative control
  other.step(scheduled_, gradient_, 1e-2, 1, 4);
  EXPECT_NE(compare(value_, other.value, 1e-6).description, "");
}

TEST_F(EmulatedAdamWSteps, LeaveEverythingAsItIsWhereSomethingIsNotFinite) {
  step(1e-2, 0);
  const at::Tensor value = value_.clone(), first = first_.clone(), second = second_.clone();
  loss_ = std::numeric_limits<double>::infinity();
  step(1e-2, 0);
  EXPECT_EQ(state_.applied, 0);
  loss_ = 1;
  const float kept = gradient_[2000].item<float>();
  gradient_[2000] = std::numeric_limits<float>::quiet_NaN();
  step(1e-2, 1);
  EXPECT_EQ(state_.applied, 0);
  EXPECT_TRUE(std::isnan(state_.norm));
  EXPECT_EQ(state_.steps, 1);
  EXPECT_TRUE(same_bits(value_, value));
  EXPECT_TRUE(same_bits(first_, first));
  EXPECT_TRUE(same_bits(second_, second));
  gradient_[2000] = kept;
  step(1e-2, 0);
  EXPECT_EQ(state_.applied, 1);
  EXPECT_EQ(state_.steps, 2);
  EXPECT_FALSE(same_bits(value_, value));
}

}  // namespace
}  // namespace fcm::ops
