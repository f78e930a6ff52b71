#include "fcm/interop/architecture.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fcm/encoder/registry.h"

namespace fcm::interop {
namespace {

using formats::TensorView;
using nlohmann::json;

TensorView shaped(const std::string& name, std::vector<int64_t> shape) {
  return {name, "F32", std::move(shape), {}};
}

// Names and shapes stored from the upstream models.
std::optional<std::vector<TensorView>> stored_shapes(const std::string& file) {
  std::ifstream stream(std::filesystem::path(FCM_SOURCE_DIR) / "../shared/fixtures" / file);
  if (!stream) return std::nullopt;
  std::vector<TensorView> model;
  const json content = json::parse(stream);
  for (const json& entry : content.at("state_dict")) {
    model.push_back(shaped(entry[0], entry[1].get<std::vector<int64_t>>()));
  }
  return model;
}

TEST(Recognise, ConvMaeBase) {
  const auto published = stored_shapes("convmae_base_params.json");
  if (!published) GTEST_SKIP() << "no ../shared/fixtures beside the checkout";
  const auto found = recognise(*published);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, "conv_vit");
  EXPECT_EQ(found->encoder.strides, (std::vector<int64_t>{4, 2, 2}));
  EXPECT_EQ(found->encoder.dims, (std::vector<int64_t>{256, 384, 768}));
  EXPECT_EQ(found->encoder.depths, (std::vector<int64_t>{2, 2, 11}));
  EXPECT_EQ(found->encoder.mlp_ratios, (std::vector<double>{4, 4, 4}));
  EXPECT_EQ(found->patches, 196);
  EXPECT_EQ(found->encoder.patch_side(), 16);
  EXPECT_FALSE(found->class_token);
  EXPECT_TRUE(found->fuse && found->norm && found->mask_token);
  ASSERT_TRUE(found->decoder);
  EXPECT_EQ(found->decoder->dim, 512);
  EXPECT_EQ(found->decoder->depth, 8);
  EXPECT_EQ(found->decoder->mlp_ratio, 4);
  EXPECT_EQ(found->classes, 0);
}

TEST(Recognise, MaeBaseHasAClassToken) {
  const auto published = stored_shapes("mae_vitb_params.json");
  if (!published) GTEST_SKIP() << "no ../shared/fixtures beside the checkout";
  const auto found = recognise(*published);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, "vit");
  EXPECT_EQ(found->encoder.strides, std::vector<int64_t>{16});
  EXPECT_EQ(found->encoder.dims, std::vector<int64_t>{768});
  EXPECT_EQ(found->encoder.depths, std::vector<int64_t>{12});
  EXPECT_TRUE(found->class_token);
  EXPECT_EQ(found->patches, 196);
}

TEST(Recognise, AClassifierHasAHeadAndNoDecoder) {
  const std::vector<TensorView> tensors = {
      shaped("patch_embed1.proj.weight", {8, 3, 4, 4}),
      shaped("patch_embed2.proj.weight", {12, 8, 2, 2}),
      shaped("patch_embed3.proj.weight", {16, 12, 2, 2}),
      shaped("blocks2.4.mlp.fc1.weight", {24, 12, 1, 1}),
      shaped("blocks2.0.mlp.fc1.weight", {24, 12, 1, 1}),
      shaped("fc_norm.weight", {16}),
      shaped("head.weight", {10, 16}),
  };
  const auto found = recognise(tensors);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->encoder.depths, (std::vector<int64_t>{0, 5, 0}));
  EXPECT_EQ(found->encoder.mlp_ratios[1], 2);
  EXPECT_EQ(found->classes, 10);
  EXPECT_TRUE(found->fc_norm);
  EXPECT_FALSE(found->decoder || found->fuse || found->norm || found->mask_token);
  EXPECT_EQ(found->patches, 0);
}

TEST(Recognise, NothingOfTheKind) {
  EXPECT_FALSE(recognise({}));
  const std::vector<TensorView> flat = {shaped("patch_embed.proj.weight", {8, 48})};
  EXPECT_FALSE(recognise(flat));
  const std::vector<TensorView> empty = {shaped("patch_embed.proj.weight", {0, 3, 4, 4})};
  EXPECT_FALSE(recognise(empty));
}

}  // namespace
}  // namespace fcm::interop
