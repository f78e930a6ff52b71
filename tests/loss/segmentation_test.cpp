// Tests that the fused loss, which does not store upsampled logits, equals the loss of upsampled
// logits.
#include "fcm/loss/segmentation.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <limits>

#include "fcm/loss/segmentation_kernel.h"
#include "fcm/ops/isa.h"
#include "reference/segmentation.h"
#include "tests/support/error_of.h"
#include "tests/support/gradcheck.h"

namespace fcm::loss {
namespace {

struct LossCase {
  int64_t batch, rows, cols, classes, to_rows, to_cols;
  double ignored;  // fraction of ignored pixels
};
const LossCase kLossCases[] = {
    {2, 8, 10, 5, 32, 40, 0.2}, {2, 8, 10, 5, 32, 40, 1},    {1, 6, 7, 150, 50, 61, 0},
    {2, 16, 16, 4, 9, 13, 0.4}, {1, 1, 1, 3, 5, 7, 0.3},     {3, 15, 15, 17, 32, 32, 0.1},
    {2, 9, 5, 1, 18, 10, 0.1},  {1, 12, 12, 255, 12, 12, 0},
};

at::Tensor logits_of(const LossCase& c) {
  return test::fixed_normal({c.batch, c.rows, c.cols, c.classes}, 1) * 3;
}

at::Tensor labels_of(const LossCase& c) {
  const at::Tensor draws =
      test::fixed_normal({c.batch, c.to_rows, c.to_cols}, 2).abs().mul(1000).floor();
  at::Tensor labels = draws.remainder(static_cast<double>(c.classes)).to(at::kByte);
  // Ignored pixels are in runs, like the borders of objects.
  const at::Tensor none = at::arange(labels.numel()).remainder(100).lt(100 * c.ignored);
  labels.masked_fill_(none.view(labels.sizes()), kIgnoredLabel);
  return labels;
}

// Results of a loss function; `gradient` is that of 3 x loss.
struct Outcome {
  double loss;
  int64_t correct;
  at::Tensor gradient;
};
template <class Loss>
Outcome outcome(const Loss& loss, const at::Tensor& logits_BHWK, const at::Tensor& labels_BHW) {
  const at::Tensor leaf = logits_BHWK.detach().clone().requires_grad_(true);
  const SegmentationLoss found = loss(leaf, labels_BHW);
  EXPECT_FALSE(found.correct.requires_grad());
  return {found.loss.template item<double>(), found.correct.template item<int64_t>(),
          test::gradients(found.loss, {leaf}, at::full({}, 3.0))[0]};
}

TEST(SegmentationLoss, PlainFormIsThePublishedOne) {
  for (const LossCase& c : kLossCases) {
    const at::Tensor labels = labels_of(c);
    const Outcome plain = outcome(segmentation_loss_plain, logits_of(c), labels);
    const at::Tensor logits = logits_of(c).permute({0, 3, 1, 2}).contiguous().requires_grad_(true);
    const at::Tensor wanted = reference::segmentation_loss(logits, labels);
    EXPECT_NEAR(plain.loss, wanted.item<double>(), 1e-12);
    EXPECT_EQ(test::compare(plain.gradient.permute({0, 3, 1, 2}),
                            test::gradients(wanted, {logits}, at::full({}, 3.0))[0], 1e-12)
                  .description,
              "");
    EXPECT_NEAR(100.0 * static_cast<double>(plain.correct) / static_cast<double>(labels.numel()),
                reference::segmentation_accuracy(logits, labels), 1e-10);
  }
}

TEST(SegmentationLoss, IsThePlainFormInFloat32) {
  for (const LossCase& c : kLossCases) {
    const at::Tensor labels = labels_of(c), logits = logits_of(c).to(at::kFloat);
    const Outcome wanted = outcome(segmentation_loss_plain, logits.to(at::kDouble), labels);
    const Outcome got = outcome(segmentation_loss, logits, labels);
    // Logits up to 10 have a rounding error of 10 * 2^-24, and interpolation adds as much again.
    EXPECT_NEAR(got.loss, wanted.loss, 3e-6 * (1 + wanted.loss)) << c.classes;
    EXPECT_EQ(test::compare(got.gradient, wanted.gradient, 3e-6).description, "") << c.classes;
    EXPECT_EQ(got.correct, wanted.correct) << c.classes;
    const Outcome moved = outcome(segmentation_loss, logits.roll(1, 2), labels);
    if (c.ignored < 1 && c.cols > 1 && c.classes > 1) {
      EXPECT_GT(std::abs(moved.loss - wanted.loss), 1e-4);
    }
  }
}

TEST(SegmentationLoss, CountsIgnoredPixelsInTheMeanAndNothingElseOfThem) {
  const LossCase c = kLossCases[0];
  at::Tensor labels = labels_of(c);
  const at::Tensor logits = logits_of(c).to(at::kFloat);
  const double all = outcome(segmentation_loss, logits, labels).loss;
  const double labelled = labels.ne(kIgnoredLabel).to(at::kDouble).mean().item<double>();
  const Outcome none = outcome(segmentation_loss, logits, at::full_like(labels, kIgnoredLabel));
  EXPECT_EQ(none.loss, 0);
  EXPECT_EQ(none.correct, 0);
  EXPECT_EQ(none.gradient.abs().max().item<float>(), 0);
  EXPECT_GT(all / labelled, all * 1.1);  // a mean over labelled pixels only would be larger
}

TEST(SegmentationLoss, DoesNotDependOnThreads) {
  const LossCase c{3, 32, 32, 21, 128, 128, 0.1};
  const at::Tensor labels = labels_of(c), logits = logits_of(c).to(at::kFloat);
  const Outcome many = outcome(segmentation_loss, logits, labels);
  const test::OneThread one_thread;
  const Outcome one = outcome(segmentation_loss, logits, labels);
  EXPECT_EQ(one.loss, many.loss);
  EXPECT_TRUE(test::same_bits(one.gradient, many.gradient));
}

TEST(SegmentationLoss, ShowsNumbersThatAreNotFinite) {
  const LossCase c = kLossCases[2];
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    at::Tensor logits = logits_of(c).to(at::kFloat);
    logits.view(-1)[1234] = bad;
    const at::NoGradGuard no_grad;
    EXPECT_FALSE(std::isfinite(segmentation_loss(logits, labels_of(c)).loss.item<double>()));
  }
}

TEST(SegmentationLoss, RefusesALabelThatIsNoClass) {
  at::Tensor labels = labels_of(kLossCases[0]);
  labels.view(-1)[3] = 5;
  const std::string said = test::error_of(
      ExitCode::kData, [&] { segmentation_loss(logits_of(kLossCases[0]).to(at::kFloat), labels); });
  EXPECT_NE(said.find("holds class 5"), std::string::npos) << said;
}

// best_classes() gives the class of the largest upsampled logit.
TEST(BestClasses, AreThoseOfUpsampledLogits) {
  for (const LossCase& c : kLossCases) {
    const at::Tensor logits = logits_of(c).to(at::kFloat);
    const at::Tensor wanted = best_classes(logits.to(at::kDouble), c.to_rows, c.to_cols);
    const at::Tensor got = best_classes(logits, c.to_rows, c.to_cols);
    EXPECT_EQ(got.scalar_type(), at::kByte);
    EXPECT_TRUE(got.equal(wanted)) << c.classes;
    if (c.classes > 3 && c.cols > 1) {
      EXPECT_FALSE(got.equal(best_classes(logits.flip(1), c.to_rows, c.to_cols)));
    }
  }
}

TEST(BestClasses, TakesTheLowestOfSeveral) {
  at::Tensor logits = at::zeros({1, 3, 3, 40});
  EXPECT_EQ(best_classes(logits, 6, 6).max().item<int64_t>(), 0);
  logits.select(3, 37).fill_(1);
  logits.select(3, 21).fill_(1);
  EXPECT_TRUE(best_classes(logits, 6, 6).eq(21).all().item<bool>());
}

// Compares the kernels of all instruction sets that this CPU can run.
TEST(SegmentationKernels, AgreeOverInstructionSets) {
  const std::pair<ops::Isa, const SegmentationKernels*> builds[] = {
      {ops::Isa::kPlain, &segmentation_plain},
      {ops::Isa::kAvx2, &segmentation_avx2},
      {ops::Isa::kAvx512, &segmentation_avx512}};
  constexpr int64_t kClasses = 21, kIn = 2, kOut = 3;
  const at::Tensor logits = test::fixed_normal({2, kIn, kClasses}, 1).to(at::kFloat);
  const PixelTap taps[kOut] = {{0, 1, 0}, {0, 1, 0.25F}, {1, 1, 0.5F}};
  const uint8_t labels[kOut] = {3, 255, 20};
  for (const auto& [isa, kernels] : builds) {
    if (!ops::can_run(isa)) continue;
    const auto room = static_cast<size_t>((kIn + 1) * kernels->padded(kClasses));
    std::vector<float> scratch(room), dmixed(room);
    const at::Tensor gradient = at::zeros({2, kIn, kClasses});
    LossRow row{.row = {.classes = kClasses,
                        .in_columns = kIn,
                        .columns = kOut,
                        .upper = logits.const_data_ptr<float>(),
                        .lower = logits.const_data_ptr<float>() + kIn * kClasses,
                        .share = 0.75F,
                        .taps = taps,
                        .scratch = scratch.data()},
                .labels = labels,
                .dmixed = dmixed.data(),
                .dupper = gradient.data_ptr<float>(),
                .dlower = gradient.data_ptr<float>() + kIn * kClasses};
    kernels->loss(row);
    const at::Tensor leaf = logits.to(at::kDouble).requires_grad_(true);
    const at::Tensor mixed = leaf[0] * 0.25 + leaf[1] * 0.75;
    const at::Tensor sum = -mixed[0].log_softmax(0)[3] - mixed[1].log_softmax(0)[20];
    EXPECT_NEAR(row.loss, sum.item<double>(), 1e-6) << ops::isa_name(isa);
    EXPECT_EQ(
        test::compare(gradient, test::gradients(sum, {leaf}, at::ones({}))[0], 1e-6).description,
        "")
        << ops::isa_name(isa);
    uint8_t best[kOut];
    kernels->best(row.row, best);
    EXPECT_EQ(best[0], mixed[0].argmax().item<int64_t>()) << ops::isa_name(isa);
    EXPECT_EQ(best[2], mixed[1].argmax().item<int64_t>()) << ops::isa_name(isa);
  }
}

}  // namespace
}  // namespace fcm::loss
