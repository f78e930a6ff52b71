// Planted mistakes in the cases of detection.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/heads/box_head.h"
#include "fcm/heads/feature_pyramid.h"
#include "fcm/heads/mask_head.h"
#include "fcm/heads/rpn.h"
#include "fcm/heads/simple_pyramid.h"
#include "fcm/heads/vit_adaptor.h"
#include "tests/parity/detection_stored.h"
#include "tests/parity/mistakes.h"
#include "tests/parity/segmentation_head.h"

namespace fcm::parity {
namespace {

const std::filesystem::path kDetectionFolder = kShared / "goldens/detection";

void expect_noticed_by_detection(const std::string& file, const InputMistake& mistake,
                                 const std::string& filter = "") {
  expect_noticed_in(kDetectionFolder, file + ".safetensors", mistake, filter);
}

at::Tensor with_x_and_y_swapped(const at::Tensor& boxes) {
  return boxes.index_select(-1, at::tensor({1, 0, 3, 2}, at::kLong));
}

// Reorders rows 4 a + k of a weight so that k is the outer index.
at::Tensor coordinate_major(const at::Tensor& weight) {
  const std::vector<int64_t> sizes = weight.sizes().vec();
  return weight.reshape({sizes[0] / 4, 4, -1}).transpose(0, 1).reshape(sizes);
}

TEST(DetectionBoxMistakes, AnchorsByHalfAPixel) {
  expect_noticed_by_detection("anchors",
                              [](Inputs& inputs) { inputs.weights.at("origin").fill_(0.5); });
}

TEST(DetectionBoxMistakes, XAndYSwapped) {
  for (const char* name : {"src", "iou.a"}) {
    expect_noticed_by_detection("box2box", [&](Inputs& inputs) {
      at::Tensor& boxes = inputs.weights.at(name);
      boxes = with_x_and_y_swapped(boxes);
    });
  }
  expect_noticed_by_detection("rpn_top_proposals", [](Inputs& inputs) {
    at::Tensor& boxes = inputs.weights.at("boxes.0");
    boxes = with_x_and_y_swapped(boxes);
  });
}

TEST(DetectionBoxMistakes, DeltasWithTheCoordinateOutermost) {
  expect_noticed_by_detection("box2box", [](Inputs& inputs) {
    at::Tensor& deltas = inputs.weights.at("w10.deltas");
    deltas = deltas.view({40, 3, 4}).transpose(1, 2).reshape({40, 12});
  });
  expect_noticed_by_detection("box_inference", [](Inputs& inputs) {
    at::Tensor& boxes = inputs.weights.at("boxes");
    boxes = boxes.view({boxes.size(0), -1, 4}).flip(1).reshape(boxes.sizes());
  });
}

TEST(DetectionBoxMistakes, AQualityThatIsTheNextFloat) {
  expect_noticed_by_detection(
      "matcher",
      [](Inputs& inputs) {
        at::Tensor& quality = inputs.weights.at("thresholds.quality");
        quality = quality.nextafter(at::zeros({}));
      },
      "fast fp32");
  expect_noticed_by_detection("matcher", [](Inputs& inputs) {
    at::Tensor& order = inputs.weights.at("sample0.perm_pos");
    order = order.roll(1);
  });
}

TEST(DetectionBoxMistakes, ALogitOfAnotherBox) {
  expect_noticed_by_detection("rpn_top_proposals", [](Inputs& inputs) {
    at::Tensor& logits = inputs.weights.at("logits.1");
    logits = logits.roll(1);
  });
}

TEST(DetectionHeadMistakes, AnchorDeltasWithTheCoordinateOutermost) {
  expect_noticed_by_detection("rpn_tiny", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("proposal_generator.rpn_head.anchor_deltas.weight");
    weight = coordinate_major(weight);
  });
}

TEST(DetectionHeadMistakes, TruthsByHalfAPixel) {
  expect_noticed_by_detection("rpn_tiny", [](Inputs& inputs) {
    at::Tensor& truths = inputs.weights.at("gt_boxes.0");
    truths = truths + 0.5;
  });
}

TEST(DetectionHeadMistakes, TheSecondConvolutionFirst) {
  expect_noticed_by_detection("rpn_tiny", [](Inputs& inputs) {
    swap_weights(inputs, "proposal_generator.rpn_head.conv.conv0.weight",
                 "proposal_generator.rpn_head.conv.conv1.weight");
  });
}

TEST(DetectionHeadMistakes, AWindowOfThePyramidTransposed) {
  expect_noticed_by_detection("fpn_tiny", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("backbone.fpn_output4.weight");
    weight = weight.transpose(2, 3).contiguous();
  });
}

TEST(DetectionHeadMistakes, ARunningMeanThatIsAnotherLevels) {
  expect_noticed_by_detection("fpn_tiny", [](Inputs& inputs) {
    swap_weights(inputs, "backbone.fpn_lateral3.norm.running_mean",
                 "backbone.fpn_lateral2.norm.running_mean");
  });
}

TEST(DetectionHeadMistakes, FirstLinearLayerInTheOrderOfOurMaps) {
  expect_noticed_by_detection("box_head_tiny", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("roi_heads.box_head.fc1.weight");
    weight = weight.view({24, 49, 8}).transpose(1, 2).reshape({24, 392});
  });
}

TEST(DetectionHeadMistakes, BoxesOfClassesWithTheCoordinateOutermost) {
  expect_noticed_by_detection("box_head_tiny", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("roi_heads.box_predictor.bbox_pred.weight");
    weight = coordinate_major(weight);
  });
}

TEST(DetectionHeadMistakes, TheFourPixelsOfAMaskTransposed) {
  expect_noticed_by_detection("mask_head_tiny", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("roi_heads.mask_head.deconv.weight");
    weight = weight.transpose(2, 3).contiguous();
  });
}

TEST(DetectionHeadMistakes, ANormThatIsNotSynchronised) {
  expect_noticed_by_detection("sync_bn",
                              [](Inputs& inputs) { inputs.weights.at("apart").fill_(1); });
}

// Names and shapes must be those of the upstream state_dict, in its order.
TEST(DetectionHeads, HaveThePublishedNames) {
  const std::filesystem::path file = kDetectionFolder / "convmae_det_base.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no " << file;
  nn::Parameters parameters(0, at::kFloat);
  const nn::Scope scope(parameters);
  const heads::FeaturePyramid pyramid(scope / "backbone", {});
  const heads::RpnHead rpn(scope / "proposal_generator" / "rpn_head");
  const heads::BoxHead box(scope / "roi_heads", {});
  const heads::MaskHead mask(scope / "roi_heads" / "mask_head", {});
  std::vector<std::string> ours, published;
  for (const nn::Parameter& parameter : parameters.all()) {
    ours.push_back(fmt::format("{} {}", parameter.name, c10::str(parameter.published_shape)));
  }
  const nlohmann::json table = read_json(file);
  for (const nlohmann::json& item : table.at("state_dict")) {
    const auto name = item.at(0).get<std::string>();
    if (name.find("bottom_up") != std::string::npos) continue;
    published.push_back(
        fmt::format("{} {}", name, c10::str(item.at(1).get<std::vector<int64_t>>())));
  }
  EXPECT_EQ(ours, published);
}

// Compares a neck's maps, computed from the stored output of the backbone's last block, with the
// maps stored for the whole backbone.
void expect_stored_maps(const Tensors& stored, const char* first, size_t number,
                        const std::vector<at::Tensor>& got) {
  for (size_t i = 0; i < got.size(); ++i) {
    const std::string name = fmt::format("{}{}", first, number + i);
    const at::Tensor map = published_map(got[i]).contiguous();
    CaseResult result;
    if (stored.contains(name)) {
      ASSERT_TRUE(map.sizes().equals(stored.at(name).sizes())) << name;
      compare(result, name, map, stored.at(name), 3e-5);
    } else {
      compare(result, name, map.flatten().index_select(0, stored.at(name + ".idx")),
              stored.at(name + ".val"), 3e-5);
    }
    EXPECT_TRUE(result.passed()) << (result.faults.empty() ? name : result.faults[0]);
  }
}

TEST(DetectionNecks, AreThePublishedOnes) {
  if (!std::filesystem::exists(kDetectionFolder)) GTEST_SKIP() << "no " << kDetectionFolder;
  const at::NoGradGuard no_grad;
  const Tensors official = read_tensors(kDetectionFolder / "official_tiny.safetensors");
  nn::Parameters of_simple(0, at::kFloat);
  const heads::SimplePyramid simple(nn::Scope(of_simple) / "backbone", {.in = 32, .channels = 16});
  set_weights(of_simple, procedural_weights(of_simple, 76));
  expect_stored_maps(official, "p", 2, simple(official.at("act.net.blocks3.10")));

  const Tensors mae = read_tensors(kDetectionFolder / "mae_vit_tiny.safetensors");
  nn::Parameters of_adaptor(0, at::kFloat);
  const heads::VitAdaptor adaptor(nn::Scope(of_adaptor) / "backbone" / "bottom_up", 64);
  set_weights(of_adaptor, procedural_weights(of_adaptor, 75));
  std::vector<at::Tensor> taps;
  for (const int block : {2, 5, 8, 11}) {
    taps.push_back(mae.at(fmt::format("act.blocks.{}", block)).view({2, 8, 8, 64}));
  }
  expect_stored_maps(mae, "s", 0, adaptor(taps));
}

}  // namespace
}  // namespace fcm::parity
