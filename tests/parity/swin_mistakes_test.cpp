// Planted mistakes in the cases of the Swins.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/parity/mistakes.h"

namespace fcm::parity {
namespace {

const std::filesystem::path kSwin = kShared / "goldens/swin";
constexpr const char* kOfEach[] = {"simmim_tiny.forward.safetensors",
                                   "greenmim_tiny.forward.safetensors",
                                   "swin_cls_tiny.forward.safetensors"};

// Changes one tensor. The cases of the fast path and of the reference in float64 must fail.
void expect_change_noticed(const std::string& name,
                           const std::function<at::Tensor(const at::Tensor&)>& change) {
  for (const char* file : kOfEach) {
    for (const char* path : {"fast fp64", "reference fp64]"}) {
      expect_noticed_in(
          kSwin, file,
          [&](Inputs& inputs) {
            at::Tensor& weight = inputs.weights.at(name);
            weight = change(weight).contiguous();
          },
          path);
    }
  }
}

constexpr const char* kTable = "layers.0.blocks.1.attn.relative_position_bias_table";

at::Tensor map_of(const at::Tensor& table_RH) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(table_RH.size(0))));
  return table_RH.view({side, side, -1});
}

TEST(SwinMistakes, RowsAndColumnsOfATableExchanged) {
  expect_change_noticed(
      kTable, [](const at::Tensor& table) { return map_of(table).transpose(0, 1).flatten(0, 1); });
}

TEST(SwinMistakes, TheBiasOfTheKeySeenFromTheQuery) {
  expect_change_noticed(kTable, [](const at::Tensor& table) { return table.flip(0); });
}

TEST(SwinMistakes, TheBiasOfAnotherHead) {
  expect_change_noticed(kTable, [](const at::Tensor& table) { return table.flip(1); });
}

TEST(SwinMistakes, ChildrenMergedRowByRow) {
  expect_change_noticed("layers.0.downsample.reduction.weight", [](const at::Tensor& weight) {
    return weight.unflatten(1, {2, 2, -1}).transpose(1, 2).flatten(1);
  });
}

TEST(SwinMistakes, AnEvenBlockInThePlaceOfAnOddOne) {
  for (const char* file : kOfEach) {
    expect_noticed_in(
        kSwin, file,
        [](Inputs& inputs) {
          swap_weights(inputs, "layers.1.blocks.0.attn.qkv.weight",
                       "layers.1.blocks.1.attn.qkv.weight");
        },
        "fast fp64");
  }
}

TEST(SwinMistakes, AnotherMask) {
  expect_noticed_in(
      kSwin, "greenmim_tiny.forward.safetensors",
      [](Inputs& inputs) { inputs.noise_BL = inputs.noise_BL.flip(0); }, "fast fp64");
}

// Swaps two tensors of equal shape whose layers have different learning rates.
TEST(SwinMistakes, ALayersRateThatIsNotItsOwn) {
  expect_noticed_in(kSwin, "swin_cls_tiny.adamw_lrd.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "layers.0.blocks.0.norm1.bias", "layers.0.blocks.1.norm1.bias");
  });
}

}  // namespace
}  // namespace fcm::parity
