// Planted mistakes in the cases of segmentation heads.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/heads/fcn.h"
#include "fcm/heads/upernet.h"
#include "tests/parity/mistakes.h"

namespace fcm::parity {
namespace {

const std::filesystem::path kSegmentationFolder = kShared / "goldens/segmentation";

void expect_noticed_by_heads(const std::string& file, const InputMistake& mistake,
                             const std::string& filter = "") {
  expect_noticed_in(kSegmentationFolder, file, mistake, filter);
}

TEST(SegmentationHeadMistakes, APermutedKey) {
  expect_noticed_by_heads("heads_square.decode_head.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "decode_head.fpn_convs.0.conv.weight",
                 "decode_head.fpn_convs.1.conv.weight");
  });
}

TEST(SegmentationHeadMistakes, ATransposedWindow) {
  for (const char* name : {"fpn_bottleneck", "bottleneck", "fpn_convs.2"}) {
    expect_noticed_by_heads(
        "heads_rect.decode_head.safetensors",
        [&](Inputs& inputs) {
          at::Tensor& weight = inputs.weights.at(fmt::format("decode_head.{}.conv.weight", name));
          weight = weight.transpose(2, 3).contiguous();
        },
        "fast fp32");
  }
  expect_noticed_by_heads("heads_rect.auxiliary_head.safetensors", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("auxiliary_head.convs.0.conv.weight");
    weight = weight.transpose(2, 3).contiguous();
  });
}

TEST(SegmentationHeadMistakes, AWeightOffByAThousandth) {
  expect_noticed_by_heads("heads_square.decode_head.safetensors", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("decode_head.lateral_convs.1.bn.weight");
    weight = weight * 1.001;
  });
}

TEST(SegmentationHeadMistakes, ARunningMeanThatIsAnothers) {
  expect_noticed_by_heads("heads_square.auxiliary_head.safetensors", [](Inputs& inputs) {
    at::Tensor& mean = inputs.weights.at("auxiliary_head.convs.0.bn.running_mean");
    mean = mean.flip(0);
  });
}

TEST(SegmentationHeadMistakes, LogitsOfAnotherPlace) {
  expect_noticed_by_heads("losses.safetensors", [](Inputs& inputs) {
    inputs.images_BCHW = inputs.images_BCHW.roll(1, 3);
  });
}

TEST(SegmentationHeadMistakes, AFourthMapWithItsWindowFlipped) {
  expect_noticed_by_heads("map4_and_pooling.safetensors", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("backbone.fpn.0.weight");
    weight = weight.flip(2);
  });
}

// Names must be those of the upstream state_dict, in its order.
TEST(SegmentationHeads, HaveThePublishedNames) {
  if (!std::filesystem::exists(kSegmentationFolder / "base_params.json"))
    GTEST_SKIP() << "no stored tensors";
  nn::Parameters parameters(0, at::kFloat);
  const nn::Scope scope(parameters);
  const heads::UperNet head(scope / "decode_head",
                            {.in = {1, 1, 1, 1}, .channels = 1, .classes = 1});
  const heads::Fcn auxiliary(scope / "auxiliary_head", {.in = 1, .channels = 1, .classes = 1});
  std::vector<std::string> ours, published;
  for (const nn::Parameter& parameter : parameters.all()) ours.push_back(parameter.name);
  const nlohmann::json table = read_json(kSegmentationFolder / "base_params.json");
  for (const nlohmann::json& item : table.at("state_dict")) {
    const auto name = item.at(0).get<std::string>();
    if (name.find("_head.") != std::string::npos) published.push_back(name);
  }
  EXPECT_EQ(ours, published);
}

}  // namespace
}  // namespace fcm::parity
