// Compares what the registry says about each kind of encoder with constructed encoders.
#include "fcm/encoder/registry.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "fcm/base/error.h"
#include "tests/encoder/small_encoder.h"

namespace fcm::encoder {
namespace {

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(Kinds, AreListedAndOthersRefused) {
  EXPECT_EQ(kinds(), (std::vector<std::string>{"conv_vit", "vit", "swin"}));
  EXPECT_EQ(family("vit").kind, "vit");
  EXPECT_EQ(family(kDefaultKind).stages, EncoderOptions().dims.size());
  EXPECT_EQ(error_of([] { family("swan"); }),
            "model.kind = \"swan\" is not a known kind; take conv_vit, vit or swin");
}

TEST(NamedSizes, BelongToAKind) {
  EXPECT_EQ(size_names(), (std::vector<std::string>{"custom", "small", "base", "large",
                                                    "large_paper", "huge", "tiny", "checkpoint"}));
  EXPECT_EQ(named_size("conv_vit", "large").dims, (std::vector<int64_t>{384, 768, 1024}));
  EXPECT_EQ(named_size("vit", "huge").strides, std::vector<int64_t>{14});
  EXPECT_EQ(named_size("swin", "tiny").heads, config::OneOrMore({3, 6, 12, 24}));
  EXPECT_EQ(error_of([] { named_size("vit", "large_paper"); }),
            "encoder.size = \"large_paper\" is not a size of vit; take custom, small, base, large "
            "or huge");
  EXPECT_EQ(error_of([] { named_size("conv_vit", "giant"); }),
            "encoder.size = \"giant\" is not a size of conv_vit; take custom, small, base, large, "
            "large_paper or huge");
}

TEST(NamedSizes, AreFoundByTheirNumbers) {
  for (const Family& known : families()) {
    for (const EncoderOptions& size : known.sizes) {
      EncoderOptions custom = size;
      custom.size = "custom";
      ASSERT_NE(size_like(known.kind, custom), nullptr) << known.kind << " " << size.size;
      EXPECT_EQ(size_like(known.kind, custom)->size, size.size);
      custom.depths.back() += 100;
      EXPECT_EQ(size_like(known.kind, custom), nullptr);
    }
  }
}

class EachKind : public testing::TestWithParam<std::string> {};

// Names and shapes of the tensors identify their kind and no other.
TEST_P(EachKind, IsRecognisedByItsTensors) {
  for (const bool fuse : {false, true}) {
    const Built built(GetParam(), {.norm = true, .fuse = fuse});
    Shapes shapes;
    for (const nn::Parameter& parameter : built.parameters->all()) {
      shapes.add(parameter.name, parameter.published_shape);
    }
    for (const Family& known : families()) {
      const auto found = known.recognise(shapes);
      ASSERT_EQ(found.has_value(), known.kind == GetParam()) << known.kind;
      if (!found) continue;
      const EncoderOptions wanted = small_options(GetParam());
      EXPECT_EQ(found->options.strides, wanted.strides);
      EXPECT_EQ(found->options.dims, wanted.dims);
      EXPECT_EQ(found->options.depths, wanted.depths);
      EXPECT_EQ(found->options.mlp_ratios, wanted.mlp_ratios);
      EXPECT_EQ(found->channels, 3);
      EXPECT_EQ(found->fuse, fuse && known.kind == "conv_vit");
      EXPECT_EQ(found->options.window, wanted.window);
    }
  }
}

// Every parameter has a layer number, and numbers from the embeddings to the norm have no gap.
TEST_P(EachKind, HasALayerForEveryParameter) {
  const EncoderOptions options = small_options(GetParam());
  const nn::LayerOf of = layer_of(GetParam(), options);
  // Only transformer blocks count as layers: all blocks of a Swin, the last stage of other kinds.
  const auto counted =
      static_cast<int>(GetParam() == "swin" ? std::accumulate(options.depths.begin(),
                                                              options.depths.end(), int64_t{0})
                                            : options.depths.back());
  std::set<int> indices;
  for (const std::string& name : Built(GetParam(), {.norm = true}).names()) {
    const nn::Layer layer = of(name);
    EXPECT_EQ(layer.last, counted + 1) << name;
    EXPECT_EQ(layer.exempt, name == "pos_embed" || name == "cls_token" ||
                                name.ends_with("relative_position_bias_table"))
        << name;
    EXPECT_EQ(layer.index == layer.last, name.starts_with("norm.")) << name;
    indices.insert(layer.index);
  }
  std::set<int> all;
  for (int index = 0; index <= counted + 1; ++index) all.insert(index);
  EXPECT_EQ(indices, all);
}

// An observer gets one name for each of the last blocks. It begins with the registry's name of
// them.
TEST_P(EachKind, NamesItsLastBlocks) {
  const Built built(GetParam(), {});
  int64_t seen = 0;
  (*built.encoder)(
      built.pixels, masks::full_plan(2, kGrid), [&](const std::string& name, const at::Tensor&) {
        seen += name.starts_with(family(GetParam()).last_blocks(small_options(GetParam())) + ".")
                    ? 1
                    : 0;
      });
  EXPECT_EQ(seen, small_options(GetParam()).depths.back());
}

INSTANTIATE_TEST_SUITE_P(Kinds, EachKind, testing::ValuesIn(kinds()),
                         [](const auto& instance) { return instance.param; });

TEST(Layers, AreThePublishedOnes) {
  const nn::LayerOf conv = layer_of("conv_vit", named_size("conv_vit", "base"));
  EXPECT_EQ(conv("patch_embed4.weight").index, 0);
  EXPECT_EQ(conv("blocks2.1.norm1.weight").index, 0);
  EXPECT_EQ(conv("blocks3.10.norm1.weight").index, 11);
  EXPECT_EQ(conv("norm.weight").index, 12);
  EXPECT_EQ(conv("head.bias").index, 12);
  EXPECT_EQ(conv("head.bias").last, 12);
  const nn::LayerOf vit = layer_of("vit", named_size("vit", "base"));
  EXPECT_EQ(vit("cls_token").index, 0);
  EXPECT_EQ(vit("blocks.11.attn.proj.bias").index, 12);
  EXPECT_EQ(vit("head.bias").index, 13);
}

TEST(Layers, OfASwinCountBlocksOverAllStages) {
  const nn::LayerOf swin = layer_of("swin", named_size("swin", "base"));
  EXPECT_EQ(swin("patch_embed.norm.weight").index, 0);
  EXPECT_EQ(swin("layers.0.blocks.1.norm1.weight").index, 2);
  EXPECT_EQ(swin("layers.0.downsample.norm.weight").index, 2);
  EXPECT_EQ(swin("layers.2.blocks.17.attn.qkv.weight").index, 22);
  EXPECT_EQ(swin("layers.3.blocks.1.mlp.fc2.bias").index, 24);
  EXPECT_EQ(swin("head.weight").index, 25);
  EXPECT_EQ(swin("head.weight").last, 25);
}

TEST(Swin, RefusesWhatCannotWork) {
  EncoderOptions options = named_size("swin", "tiny");
  EXPECT_TRUE(family("swin").option_errors(options).empty());
  options.window = 0;
  options.heads = {3, 6, 12, 25};
  options.strides = {4, 2, 4, 2};
  EXPECT_EQ(family("swin").option_errors(options).size(), 3u);
  options.heads = 24;
  EXPECT_EQ(family("swin").option_errors(options).size(), 2u);
}

TEST(ConvVit, WindowsNeedTwoCellsARow) {
  EncoderOptions options = named_size("conv_vit", "base");
  EXPECT_TRUE(family("conv_vit").option_errors(options).empty());
  options.strides = {4, 1, 1};
  EXPECT_EQ(family("conv_vit").option_errors(options).size(), 2u);
  options.depths = {0, 0, 2};
  EXPECT_TRUE(family("conv_vit").option_errors(options).empty());
}

}  // namespace
}  // namespace fcm::encoder
