// Planted mistakes in the cases of FastConvMAE, ConvMAE, MAE, their classifiers and teachers.
#include "tests/parity/mistakes.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace fcm::parity {
namespace {

const std::filesystem::path kFixtures = kShared / "fixtures";

void expect_noticed(const std::string& file, const InputMistake& mistake,
                    const std::string& filter = "") {
  expect_noticed_in(kFixtures, file, mistake, filter);
}

// Swaps rows and columns of a kernel, as if the second and third cell in Z order were swapped.
void transpose_cells(Inputs& inputs, const std::string& name) {
  at::Tensor& weight = inputs.weights.at(name);  // [O, C, p, p]
  weight = weight.transpose(2, 3).contiguous();
}

TEST(ParityMistakes, APermutedKey) {
  expect_noticed("fastconvmae_tiny.forward.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "blocks3.0.attn.qkv.weight", "blocks3.1.attn.qkv.weight");
  });
  expect_noticed("mae_tiny.grads.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "decoder_blocks.0.mlp.fc1.weight", "decoder_blocks.1.mlp.fc1.weight");
  });
}

TEST(ParityMistakes, ASwappedMask) {
  expect_noticed(
      "fastconvmae_tiny.forward.safetensors",
      [](Inputs& inputs) { inputs.noise_BL = inputs.noise_BL.flip(0); }, "fast");
}

// Swaps the noise of the patches with the lowest and the highest rank; they are in different views.
TEST(ParityMistakes, TwoPatchesOfDifferentViewsSwapped) {
  expect_noticed("convmae_tiny.golden.safetensors", [](Inputs& inputs) {
    inputs.noise_BL = inputs.noise_BL.clone();
    const at::Tensor order = inputs.noise_BL[0].argsort();
    const auto first = order[0].item<int64_t>(), last = order[-1].item<int64_t>();
    const auto low = inputs.noise_BL[0][first].item<double>();
    inputs.noise_BL[0][first] = inputs.noise_BL[0][last].item<double>();
    inputs.noise_BL[0][last] = low;
  });
}

TEST(ParityMistakes, ATransposedMortonCell) {
  for (const char* name :
       {"patch_embed2.proj.weight", "patch_embed3.proj.weight", "stage1_output_decode.weight"}) {
    expect_noticed("fastconvmae_tiny.forward.safetensors",
                   [&](Inputs& inputs) { transpose_cells(inputs, name); });
  }
}

TEST(ParityMistakes, OneWrongNumber) {
  expect_noticed("fastconvmae_tiny.grads.safetensors", [](Inputs& inputs) {
    at::Tensor& weight = inputs.weights.at("blocks1.0.attn.weight");
    weight = weight.clone();
    weight.view(-1)[12] += 0.5;
  });
}

// The error is far above rounding, but small relative to the weight.
TEST(ParityMistakes, AWeightOffByAThousandth) {
  const std::vector<std::pair<const char*, const char*>> weights = {
      {"fastconvmae_tiny.forward", "blocks1.0.attn.weight"},
      {"convmae_tiny.golden", "blocks1.0.attn.weight"},
      {"fastconvmae_tiny_mlpvar.golden", "blocks1.0.attn.weight"},
      {"fastconvmae_tiny_photo.golden", "blocks1.0.attn.weight"},
      {"mae_tiny.forward", "blocks.0.attn.proj.weight"},
      {"convvit_tiny_gap.golden", "blocks1.0.attn.weight"},
      {"convvit_tiny_token0.golden", "blocks1.0.attn.weight"},
      {"vit_tiny_gap.golden", "blocks.0.attn.qkv.weight"},
      {"vit_tiny_cls.golden", "blocks.0.attn.qkv.weight"}};
  for (const auto& [file, name] : weights) {
    expect_noticed(
        file + std::string(".safetensors"),
        [name = name](Inputs& inputs) {
          inputs.weights.at(name) = inputs.weights.at(name) * 1.001;
        },
        "reference fp32");
  }
}

TEST(ParityMistakes, ABiasOfATeacherOffByAThousandth) {
  for (const auto& [file, name] :
       {std::pair{"teachers/dino_tiny.golden.safetensors", "blocks.1.norm1.bias"},
        std::pair{"teachers/clip_tiny.golden.safetensors",
                  "visual.transformer.resblocks.1.ln_1.bias"}}) {
    expect_noticed(file, [name = name](Inputs& inputs) {
      inputs.weights.at(name) = inputs.weights.at(name) + 0.001;
    });
  }
}

TEST(ParityMistakes, AWrongTokenOfTheClassifier) {
  expect_noticed("convvit_tiny_token0.golden.safetensors", [](Inputs& inputs) {
    inputs.images_BCHW = inputs.images_BCHW.flip(3);  // the top right patch moves to the left
  });
}

TEST(ParityMistakes, ALearningRateThatIsNotTheLayersOwn) {
  expect_noticed("vit_tiny_gap.adamw_lrd.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "blocks.0.norm1.bias", "blocks.1.norm1.bias");
  });
}

TEST(ParityMistakes, ATeachersBlocksSwapped) {
  expect_noticed("teachers/dino_tiny.golden.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "blocks.2.mlp.fc1.weight", "blocks.3.mlp.fc1.weight");
  });
  expect_noticed("teachers/clip_tiny.golden.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "visual.transformer.resblocks.2.mlp.c_fc.weight",
                 "visual.transformer.resblocks.3.mlp.c_fc.weight");
  });
  expect_noticed("teachers/clip_tiny.golden.safetensors", [](Inputs& inputs) {
    swap_weights(inputs, "visual.ln_pre.bias", "visual.ln_post.bias");
  });
}

}  // namespace
}  // namespace fcm::parity
