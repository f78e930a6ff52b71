// The fast path skips work without changing results. These tests run the same kernels with and
// without the skipped work in turn, forward and backward, at the sizes of the base recipe and batch
// 8. They check that results agree and print the times quoted in results/cpu.md; times need an idle
// machine.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "fcm/base/stats.h"
#include "fcm/base/stopwatch.h"
#include "fcm/ops/branches/op.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/gather_rows/op.h"
#include "fcm/ops/norm_linear/op.h"
#include "fcm/ops/patch_depthwise_conv/op.h"
#include "fcm/ops/patch_loss/op.h"
#include "tests/support/compare.h"
#include "tests/support/op_case_results.h"

namespace fcm::ops {
namespace {

using Inputs = OpCase::Inputs;
using Function = std::function<at::Tensor(const Inputs&)>;

constexpr int64_t kBatch = 8, kViews = 4, kPatches = 196, kSide = 14, kSeen = kPatches / kViews;
constexpr int64_t kSequences = kBatch * kViews, kHidden = kPatches - kSeen;
constexpr int64_t kWidth = 512, kHeads = 16;  // of the decoder

// A random order of the patches per image; each run of kSeen slots is a view.
at::Tensor order_BL() {
  at::manual_seed(3);
  return at::rand({kBatch, kPatches}).argsort(/*stable=*/true, /*dim=*/1);
}

// The slots of the neighbours of each slot's patch, or -1; neighbours in other views only if `all`.
at::Tensor neighbours_BL9(const at::Tensor& order, bool all) {
  at::Tensor table = at::full({kBatch, kPatches, 9}, -1, at::kInt);
  auto near = table.accessor<int32_t, 3>();
  const at::Tensor slots = order.argsort(/*stable=*/true, /*dim=*/1);
  const auto patch_of = order.accessor<int64_t, 2>(), slot_of = slots.accessor<int64_t, 2>();
  for (int64_t b = 0; b < kBatch; ++b) {
    for (int64_t slot = 0; slot < kPatches; ++slot) {
      for (int64_t k = 0; k < 9; ++k) {
        const int64_t patch = patch_of[b][slot];
        const int64_t row = patch / kSide + k / 3 - 1, col = patch % kSide + k % 3 - 1;
        if (row < 0 || row >= kSide || col < 0 || col >= kSide) continue;
        const int64_t other = slot_of[b][row * kSide + col];
        if (all || other / kSeen == slot / kSeen) near[b][slot][k] = static_cast<int32_t>(other);
      }
    }
  }
  return table;
}

// [views, L - k]: the slots that each view predicts.
at::Tensor hidden_slots_GH() {
  std::vector<at::Tensor> views;
  const at::Tensor slots = at::arange(kPatches);
  for (int64_t view = 0; view < kViews; ++view) {
    views.push_back(slots.masked_select(slots.floor_divide(kSeen).ne(view)));
  }
  return at::stack(views);
}

double seconds_of(const Function& function, const Inputs& inputs) {
  const Stopwatch watch;
  const at::Tensor result = function(inputs);
  torch::autograd::grad({result}, inputs, {at::ones_like(result)});
  return watch.seconds();
}

struct Saving {
  std::string name;
  std::function<Inputs(at::ScalarType)> inputs;
  Function with, without;
  int times;  // how often a training step does this work
};

// Checks that both forms give equal results within rounding, and prints their times.
void measure(const Saving& saving) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const Inputs inputs = test::leaves(saving.inputs(dtype));
    const bool fp32 = dtype == at::kFloat;
    test::expect_close(test::evaluate(saving.with, inputs, dtype),
                       test::evaluate(saving.without, inputs, dtype), fp32 ? 1e-5 : 3e-2,
                       fp32 ? 2e-5 : 3e-2, dtype);
    std::vector<double> with, without, gained;
    for (int round = 0; round < 15; ++round) {
      with.push_back(seconds_of(saving.with, inputs));
      without.push_back(seconds_of(saving.without, inputs));
      gained.push_back(without.back() - with.back());
    }
    const auto ms = [&](const std::vector<double>& x) { return 1e3 * saving.times * median(x); };
    fmt::print("{:<28}{:<5} ms per step: {:8.2f} with saving, {:8.2f} without, {:7.2f} gained\n",
               saving.name, fp32 ? "fp32" : "bf16", ms(with), ms(without), ms(gained));
  }
}

Inputs values(at::ScalarType dtype, const std::vector<std::vector<int64_t>>& sizes) {
  Inputs inputs;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const bool matrix = i > 0 && sizes[i].size() == 2;
    const double scale = matrix ? 0.7 / std::sqrt(static_cast<double>(sizes[i][1])) : 0.5;
    inputs.push_back(case_values(sizes[i], dtype, i, scale));
  }
  return inputs;
}

// An attention branch whose weights (norm, qkv, proj) begin at index `at` of the inputs.
at::Tensor attend(const Inputs& in, size_t at, const at::Tensor& x_NTC, int64_t first) {
  return attention_branch(x_NTC, {in[at], in[at + 1], 1e-6}, {in[at + 2], in[at + 3]},
                          {in[at + 4], in[at + 5]}, kHeads, {}, first);
}

const std::vector<std::vector<int64_t>> kAttention{
    {kWidth}, {kWidth}, {3 * kWidth, kWidth}, {3 * kWidth}, {kWidth, kWidth}, {kWidth}};

Saving one_depthwise_pass(std::string name, int64_t side, int64_t channels) {
  const Cells cells =
      side == 4 ? PatchGeometry{{4, 2, 2}}.cells(0) : PatchGeometry{{4, 2, 2}}.cells(1);
  const at::Tensor order = order_BL(), seen = neighbours_BL9(order, false),
                   all = neighbours_BL9(order, true);
  const auto inputs = [=](at::ScalarType dtype) {
    return values(dtype, {{kBatch, kPatches, side * side, channels}, {25, channels}, {channels}});
  };
  const auto with = [=](const Inputs& in) {
    return patch_depthwise_conv(in[0], in[1], in[2], seen, cells);
  };
  const auto without = [=](const Inputs& in) {
    at::Tensor sum;
    for (int64_t view = 0; view < kViews; ++view) {
      const at::Tensor mask_1L11 = at::arange(kPatches)
                                       .floor_divide(kSeen)
                                       .eq(view)
                                       .to(in[0].scalar_type())
                                       .view({1, kPatches, 1, 1});
      const at::Tensor own =
          patch_depthwise_conv(in[0] * mask_1L11, in[1], in[2], all, cells) * mask_1L11;
      sum = sum.defined() ? sum + own : own;
    }
    return sum;
  };
  return {std::move(name), inputs, with, without, 2};
}

TEST(ExactSavings, OneDepthwisePassForAllViews) {
  measure(one_depthwise_pass("one pass, stage 1", 4, 256));
  measure(one_depthwise_pass("one pass, stage 2", 2, 384));
}

TEST(ExactSavings, LastBlockAndPredictionOfHiddenPatchesAlone) {
  const auto form = [](int64_t first) {
    return [first](const Inputs& in) {
      const at::Tensor mixed = attend(in, 1, in[0], first);
      const at::Tensor x =
          mlp_branch(mixed, {in[7], in[8], 1e-6}, {in[9], in[10]}, {in[11], in[12]});
      const at::Tensor predicted = norm_linear(x, {in[13], in[14], 1e-6}, {in[15], in[16]});
      return first > 0 ? predicted : predicted.slice(1, kSeen);
    };
  };
  const auto inputs = [](at::ScalarType dtype) {
    std::vector<std::vector<int64_t>> sizes{{kSequences, kPatches, kWidth}};
    sizes.insert(sizes.end(), kAttention.begin(), kAttention.end());
    for (const std::vector<int64_t>& more : std::vector<std::vector<int64_t>>{{kWidth},
                                                                              {kWidth},
                                                                              {4 * kWidth, kWidth},
                                                                              {4 * kWidth},
                                                                              {kWidth, 4 * kWidth},
                                                                              {kWidth},
                                                                              {kWidth},
                                                                              {kWidth},
                                                                              {768, kWidth},
                                                                              {768}}) {
      sizes.push_back(more);
    }
    return values(dtype, sizes);
  };
  measure({"last block, hidden alone", inputs, form(kSeen), form(0), 1});
}

TEST(ExactSavings, FirstBlockFromATableOfPositions) {
  const at::Tensor positions = at::randn({kPatches, kWidth});
  const at::Tensor hidden_places =
      order_BL().index_select(1, hidden_slots_GH().reshape({-1})).view({kSequences, kHidden});
  const at::Tensor places = at::cat({at::arange(kSequences * kSeen).view({kSequences, kSeen}),
                                     hidden_places + kSequences * kSeen},
                                    1);
  const auto inputs = [](at::ScalarType dtype) {
    std::vector<std::vector<int64_t>> sizes{{kSequences * kSeen, kWidth}, {kWidth}};
    sizes.insert(sizes.end(), kAttention.begin(), kAttention.end());
    return values(dtype, sizes);
  };
  const auto with = [=](const Inputs& in) {
    const at::Tensor table = positions.to(in[0].scalar_type()) + in[1];
    return attention_branch_of_rows(at::cat({in[0], table}, 0), places, {in[2], in[3], 1e-6},
                                    {in[4], in[5]}, {in[6], in[7]}, kHeads);
  };
  const auto without = [=](const Inputs& in) {
    const at::Tensor hidden = positions.to(in[0].scalar_type())
                                  .index_select(0, hidden_places.reshape({-1}))
                                  .view({kSequences, kHidden, kWidth}) +
                              in[1];
    return attend(in, 2, at::cat({in[0].view({kSequences, kSeen, kWidth}), hidden}, 1), 0);
  };
  measure({"first block from a table", inputs, with, without, 1});
}

TEST(ExactSavings, LossWithItsGradient) {
  const at::Tensor slots = hidden_slots_GH();
  const at::Tensor targets = at::randn({kBatch, kPatches, 768});
  const auto inputs = [](at::ScalarType dtype) {
    return values(dtype, {{kBatch, kViews, kHidden, 768}});
  };
  measure({"loss with its gradient", inputs,
           [=](const Inputs& in) { return patch_loss(in[0], targets, slots); },
           [=](const Inputs& in) { return patch_loss_reference(in[0], targets, slots); }, 1});
}

}  // namespace
}  // namespace fcm::ops
