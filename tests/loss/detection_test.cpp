// Compares the detection losses with the reference; losses of parts of a batch must add up to the
// loss of the batch.
#include "fcm/loss/detection.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/boxes/deltas.h"
#include "reference/detection.h"
#include "reference/detection_boxes.h"
#include "tests/support/gradcheck.h"

namespace fcm::loss {
namespace {

constexpr int64_t kAnchorCount = 40, kRegionClasses = 4;

struct Rpn {
  at::Tensor logits_BA, deltas_BA4;
  std::vector<AnchorTargets> targets;
  at::Tensor labels_BA, wanted_BA4;  // the targets in the form that the reference takes

  explicit Rpn(const std::vector<int64_t>& positives) {
    const auto images = std::ssize(positives);
    logits_BA = test::fixed_normal({images, kAnchorCount}, 1).requires_grad_(true);
    deltas_BA4 = test::fixed_normal({images, kAnchorCount, 4}, 2).requires_grad_(true);
    labels_BA = at::full({images, kAnchorCount}, -1, at::kLong);
    wanted_BA4 = test::fixed_normal({images, kAnchorCount, 4}, 3);
    for (int64_t b = 0; b < images; ++b) {
      const int64_t count = positives[static_cast<size_t>(b)];
      const at::Tensor order =
          (at::arange(kAnchorCount, at::kLong) * 7 + b).remainder(kAnchorCount);
      const at::Tensor positive = order.narrow(0, 0, count), negative = order.narrow(0, count, 9);
      labels_BA[b].index_fill_(0, positive, 1).index_fill_(0, negative, 0);
      targets.push_back({{positive, negative}, wanted_BA4[b].index_select(0, positive)});
    }
  }
};

void expect_same_losses(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& wanted,
                        const test::Inputs& predictions) {
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(test::compare(got[i], wanted[i], 1e-13).description, "") << i;
    const test::Inputs own = test::gradients(got[i], predictions, at::ones({}));
    const test::Inputs right = test::gradients(wanted[i], predictions, at::ones({}));
    for (size_t j = 0; j < own.size(); ++j) {
      ASSERT_EQ(own[j].defined(), right[j].defined());
      if (!own[j].defined()) continue;
      EXPECT_EQ(test::compare(own[j], right[j], 1e-12).description, "") << i << " " << j;
    }
  }
}

TEST(RpnLosses, AreThePublishedOnes) {
  for (const std::vector<int64_t>& positives : {std::vector<int64_t>{3, 0, 5}, {0, 0}}) {
    const Rpn rpn(positives);
    const double divisor = 12.0 * static_cast<double>(positives.size());
    const RpnLosses got = rpn_losses(rpn.logits_BA, rpn.deltas_BA4, rpn.targets, divisor);
    const auto wanted =
        reference::rpn_losses(rpn.logits_BA, rpn.deltas_BA4, rpn.labels_BA, rpn.wanted_BA4, 12);
    expect_same_losses({got.objectness, got.deltas}, {wanted.objectness, wanted.deltas},
                       {rpn.logits_BA, rpn.deltas_BA4});
  }
}

struct Regions {
  at::Tensor scores_RC, deltas_RD;
  RegionTargets targets;
  at::Tensor masks_FMM, mask_logits_RKMM;

  explicit Regions(const std::vector<int64_t>& classes) {
    const auto count = std::ssize(classes);
    scores_RC = test::fixed_normal({count, kRegionClasses + 1}, 1).requires_grad_(true);
    deltas_RD = test::fixed_normal({count, 4 * kRegionClasses}, 2).requires_grad_(true);
    targets.classes_R = at::tensor(at::ArrayRef<int64_t>(classes), at::kLong);
    const auto boxes = [&](uint64_t seed) {
      const at::Tensor corner = test::fixed_normal({count, 2}, seed) * 20;
      return at::cat({corner, corner + 5 + test::fixed_normal({count, 2}, seed + 1).abs() * 9}, 1);
    };
    targets.regions_R4 = boxes(3);
    targets.truths_R4 = boxes(5);
    mask_logits_RKMM = test::fixed_normal({count, kRegionClasses, 6, 6}, 7).requires_grad_(true);
    masks_FMM = test::fixed_normal({count, 6, 6}, 8).gt(0).to(at::kByte);
  }
  RegionTargets part(int64_t first, int64_t count) const {
    return {targets.classes_R.narrow(0, first, count), targets.regions_R4.narrow(0, first, count),
            targets.truths_R4.narrow(0, first, count)};
  }
};

TEST(BoxLosses, AreThePublishedOnes) {
  for (const std::vector<int64_t>& classes :
       {std::vector<int64_t>{0, 4, 3, 3, 4, 1}, {4, 4, 4}, {2}}) {
    const Regions regions(classes);
    const BoxLosses got = box_losses(regions.scores_RC, regions.deltas_RD, regions.targets,
                                     static_cast<double>(classes.size()));
    const auto wanted =
        reference::box_losses(regions.scores_RC, regions.deltas_RD, regions.targets.classes_R,
                              reference::deltas_between(regions.targets.regions_R4,
                                                        regions.targets.truths_R4, {10, 10, 5, 5}));
    expect_same_losses({got.classes, got.deltas}, {wanted.classes, wanted.deltas},
                       {regions.scores_RC, regions.deltas_RD});
    if (classes.size() > 3) {  // the divisor counts all regions, also background
      const auto foreground = box_losses(regions.scores_RC, regions.deltas_RD, regions.targets, 4);
      EXPECT_NE(test::compare(foreground.deltas, wanted.deltas, 1e-3).description, "");
    }
  }
}

TEST(MaskLoss, IsThePublishedOne) {
  const Regions regions({0, 3, 3, 1});
  const at::Tensor classes = regions.targets.classes_R;
  std::vector<at::Tensor> own;
  for (int64_t r = 0; r < 4; ++r) {
    own.push_back(regions.mask_logits_RKMM[r][classes[r].item<int64_t>()]);
  }
  const at::Tensor got = mask_loss(at::stack(own), regions.masks_FMM, 4);
  const at::Tensor wanted =
      reference::mask_loss(regions.mask_logits_RKMM, classes, regions.masks_FMM);
  expect_same_losses({got}, {wanted}, {regions.mask_logits_RKMM});
}

// If a batch is split and each part uses the divisors of the whole batch, the losses of the parts
// add up to the loss of the batch.
TEST(DetectionLosses, OfPartsAddUpToTheWhole) {
  const Rpn rpn({3, 0, 5});
  const RpnLosses whole = rpn_losses(rpn.logits_BA, rpn.deltas_BA4, rpn.targets, 36);
  const auto rpn_part = [&](int64_t first, int64_t count) {
    return rpn_losses(rpn.logits_BA.narrow(0, first, count), rpn.deltas_BA4.narrow(0, first, count),
                      {rpn.targets.begin() + first, rpn.targets.begin() + first + count}, 36);
  };
  const RpnLosses one = rpn_part(0, 1), two = rpn_part(1, 2);
  expect_same_losses({one.objectness + two.objectness, one.deltas + two.deltas},
                     {whole.objectness, whole.deltas}, {rpn.logits_BA, rpn.deltas_BA4});

  const Regions regions({0, 4, 3, 3, 4, 1});
  const BoxLosses all = box_losses(regions.scores_RC, regions.deltas_RD, regions.targets, 6);
  std::vector<BoxLosses> parts;
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 2}, {2, 0}, {2, 4}}) {
    parts.push_back(box_losses(regions.scores_RC.narrow(0, first, count),
                               regions.deltas_RD.narrow(0, first, count),
                               regions.part(first, count), 6));
  }
  expect_same_losses({parts[0].classes + parts[1].classes + parts[2].classes,
                      parts[0].deltas + parts[1].deltas + parts[2].deltas},
                     {all.classes, all.deltas}, {regions.scores_RC, regions.deltas_RD});

  const at::Tensor logits = test::fixed_normal({5, 6, 6}, 4).requires_grad_(true);
  const at::Tensor masks = test::fixed_normal({5, 6, 6}, 5).gt(0);
  const at::Tensor sum = mask_loss(logits.narrow(0, 0, 2), masks.narrow(0, 0, 2), 5) +
                         mask_loss(logits.narrow(0, 2, 3), masks.narrow(0, 2, 3), 5);
  expect_same_losses({sum}, {mask_loss(logits, masks, 5)}, {logits});
}

TEST(DetectionLosses, OfNothingAreZeroWithGradients) {
  const Regions none(std::vector<int64_t>{});
  const BoxLosses box = box_losses(none.scores_RC, none.deltas_RD, none.targets, 0);
  const at::Tensor logits = at::zeros({0, 28, 28}).requires_grad_(true);
  const at::Tensor mask = mask_loss(logits, at::zeros({0, 28, 28}), 0);
  for (const at::Tensor& loss : {box.classes, box.deltas, mask}) {
    EXPECT_EQ(loss.item<double>(), 0);
    EXPECT_TRUE(loss.requires_grad());
  }
}

TEST(DetectionLosses, AreFloat32OfBfloat16) {
  const Regions regions({0, 4, 3});
  const BoxLosses box = box_losses(regions.scores_RC.to(at::kBFloat16),
                                   regions.deltas_RD.to(at::kBFloat16), regions.targets, 3);
  EXPECT_EQ(box.classes.scalar_type(), at::kFloat);
  EXPECT_EQ(box.deltas.scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace fcm::loss
