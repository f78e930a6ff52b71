#include "fcm/interop/transformers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "fcm/interop/adapters.h"
#include "tests/formats/support.h"
#include "tests/interop/vit_tensors.h"

namespace fcm::interop {
namespace {

using namespace formats;

using test::Tensors;

Tensors vit() {
  Tensors tensors;
  tensors.add("cls_token", {1, 1, 4});
  tensors.add("pos_embed", {1, 5, 4});
  tensors.add("patch_embed.proj.weight", {4, 3, 2, 2});
  tensors.add("patch_embed.proj.bias", {4});
  for (const std::string block : {"blocks.0.", "blocks.10."}) {
    for (const char* norm : {"norm1", "norm2"}) {
      for (const char* kind : {".weight", ".bias"}) tensors.add(block + norm + kind, {4});
    }
    tensors.add(block + "attn.qkv.weight", {12, 4});
    tensors.add(block + "attn.qkv.bias", {12});
    tensors.add(block + "attn.proj.weight", {4, 4});
    tensors.add(block + "attn.proj.bias", {4});
    tensors.add(block + "mlp.fc1.weight", {8, 4});
    tensors.add(block + "mlp.fc1.bias", {8});
    tensors.add(block + "mlp.fc2.weight", {4, 8});
    tensors.add(block + "mlp.fc2.bias", {4});
  }
  tensors.add("norm.weight", {4});
  tensors.add("norm.bias", {4});
  tensors.add("head.weight", {7, 4});
  return tensors;
}

using ByName = std::map<std::string, const formats::TensorView*>;

ByName by_name(const std::vector<formats::TensorView>& views) {
  ByName result;
  for (const formats::TensorView& view : views) result[view.name] = &view;
  return result;
}

void expect_same(const std::vector<formats::TensorView>& got,
                 const std::vector<formats::TensorView>& expected) {
  const ByName others = by_name(got);
  ASSERT_EQ(others.size(), expected.size());
  for (const formats::TensorView& one : expected) {
    ASSERT_TRUE(others.contains(one.name)) << one.name;
    const formats::TensorView& other = *others.at(one.name);
    EXPECT_EQ(other.shape, one.shape) << one.name;
    EXPECT_EQ(other.dtype, one.dtype) << one.name;
    ASSERT_EQ(other.bytes.size(), one.bytes.size()) << one.name;
    EXPECT_EQ(std::memcmp(other.bytes.data(), one.bytes.data(), one.bytes.size()), 0) << one.name;
  }
}

// The expected names are those of ViTModel in modeling_vit.py of transformers.
TEST(Transformers, NamesAreThoseOfViTModel) {
  const Tensors ours = vit();
  const std::vector<formats::TensorView> views = as_transformers(ours.views);
  const ByName theirs = by_name(views);
  for (const char* name :
       {"embeddings.cls_token", "embeddings.position_embeddings",
        "embeddings.patch_embeddings.projection.weight", "layernorm.bias",
        "encoder.layer.0.layernorm_before.weight", "encoder.layer.0.layernorm_after.bias",
        "encoder.layer.10.attention.attention.query.weight",
        "encoder.layer.10.attention.attention.key.bias",
        "encoder.layer.10.attention.attention.value.weight",
        "encoder.layer.10.attention.output.dense.weight",
        "encoder.layer.10.intermediate.dense.weight", "encoder.layer.10.output.dense.bias"}) {
    EXPECT_TRUE(theirs.contains(name)) << name;
  }
  EXPECT_EQ(theirs.size(), 4u + 2 * 16 + 3);
  // The middle third of the rows of qkv is the key's weight.
  const formats::TensorView& whole = *by_name(ours.views).at("blocks.0.attn.qkv.weight");
  const formats::TensorView& key = *theirs.at("encoder.layer.0.attention.attention.key.weight");
  EXPECT_EQ(key.shape, (std::vector<int64_t>{4, 4}));
  EXPECT_EQ(key.bytes.data(), whole.bytes.data() + 4 * 4 * sizeof(float));
}

TEST(Transformers, ThereAndBackIsTheSame) {
  const Tensors ours = vit();
  std::vector<formats::TensorView> tensors = as_transformers(ours.views);
  for (const bool vit_in_front : {false, true}) {
    std::vector<formats::TensorView> read = tensors;
    if (vit_in_front) {
      for (formats::TensorView& tensor : read) tensor.name = "vit." + tensor.name;
    }
    std::reverse(read.begin(), read.end());  // the order in a file does not matter
    const formats::Buffer merged = from_transformers(read, "file");
    expect_same(read, ours.views);
  }
  // Negative control: the comparison detects swapped thirds.
  const auto key = std::find_if(tensors.begin(), tensors.end(), [](const formats::TensorView& one) {
    return one.name == "encoder.layer.0.attention.attention.key.weight";
  });
  const auto query =
      std::find_if(tensors.begin(), tensors.end(), [](const formats::TensorView& one) {
        return one.name == "encoder.layer.0.attention.attention.query.weight";
      });
  key->bytes = query->bytes;
  const formats::Buffer merged = from_transformers(tensors, "file");
  const formats::TensorView& whole = *by_name(tensors).at("blocks.0.attn.qkv.weight");
  const formats::TensorView& before = *by_name(ours.views).at("blocks.0.attn.qkv.weight");
  EXPECT_NE(std::memcmp(whole.bytes.data(), before.bytes.data(), before.bytes.size()), 0);
}

TEST(Transformers, TheDecoderOfViTMaeIsKnown) {
  Tensors theirs;
  theirs.add("vit.embeddings.patch_embeddings.projection.weight", {4, 3, 2, 2});
  theirs.add("decoder.mask_token", {1, 1, 2});
  theirs.add("decoder.decoder_pos_embed", {1, 5, 2});
  theirs.add("decoder.decoder_embed.weight", {2, 4});
  for (const char* third : {"query", "key", "value"}) {
    theirs.add(std::string("decoder.decoder_layers.3.attention.attention.") + third + ".bias", {2});
  }
  theirs.add("decoder.decoder_layers.3.intermediate.dense.bias", {8});
  theirs.add("decoder.decoder_norm.weight", {2});
  std::vector<formats::TensorView> tensors = theirs.views;
  const formats::Buffer merged = from_transformers(tensors, "file");
  rename_as_published(tensors, "file");
  const ByName ours = by_name(tensors);
  for (const char* name :
       {"patch_embed.proj.weight", "mask_token", "decoder_pos_embed", "decoder_embed.weight",
        "decoder_blocks.3.attn.qkv.bias", "decoder_blocks.3.mlp.fc1.bias", "decoder_norm.weight"}) {
    EXPECT_TRUE(ours.contains(name)) << name;
  }
  EXPECT_EQ(ours.size(), 7u);
}

TEST(Transformers, OtherFilesStayAsTheyAre) {
  const Tensors ours = vit();
  std::vector<formats::TensorView> tensors = ours.views;
  EXPECT_EQ(from_transformers(tensors, "file").size(), 0u);
  expect_same(tensors, ours.views);
}

TEST(Transformers, AMissingOrOddThirdIsAnError) {
  const Tensors ours = vit();
  std::vector<formats::TensorView> missing = as_transformers(ours.views);
  std::erase_if(missing, [](const formats::TensorView& tensor) {
    return tensor.name == "encoder.layer.0.attention.attention.key.bias";
  });
  EXPECT_NE(error_of([&] { from_transformers(missing, "file"); }).find("key."), std::string::npos);
  std::vector<formats::TensorView> odd = as_transformers(ours.views);
  for (formats::TensorView& tensor : odd) {
    if (tensor.name == "encoder.layer.0.attention.attention.value.bias") tensor.dtype = "BF16";
  }
  EXPECT_NE(error_of([&] { from_transformers(odd, "file"); }).find("differ"), std::string::npos);
}

}  // namespace
}  // namespace fcm::interop
