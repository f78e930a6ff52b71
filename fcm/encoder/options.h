#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::encoder {

// The valid values of model.kind.
std::vector<std::string> kinds();
// The valid values of encoder.size: "custom", the named sizes of all kinds, "checkpoint".
std::vector<std::string> size_names();

inline constexpr const char* kDefaultKind = "conv_vit";  // the defaults below are its base size

// Options of an encoder. Lists have one element per stage: ConvViT has three (convolution stages
// first, transformer last), ViT one, Swin any number.
struct EncoderOptions {
  // With a named size the fields below must equal those of named_size(). "checkpoint": a recipe of
  // a downstream task takes the encoder of the checkpoint that it starts from
  // (tasks/checkpoint_encoder.h).
  std::string size = "custom";
  std::vector<int64_t> strides{4, 2, 2};
  std::vector<int64_t> dims{256, 384, 768};
  std::vector<int64_t> depths{2, 2, 11};
  config::OneOrMore heads = 12;
  std::vector<double> mlp_ratios{4, 4, 4};
  double norm_epsilon = 1e-6;
  int64_t window = 0;

  int64_t patch_side() const {  // pixels
    return std::accumulate(strides.begin(), strides.end(), int64_t{1}, std::multiplies<>());
  }

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("size", size, config::OneOf{size_names()},
            "named size; the other keys of the section must then agree with it. checkpoint, for "
            "finetune and linprobe: the encoder is that of --checkpoint, the other keys are for "
            "--from-scratch");
    visitor("strides", strides, config::Range{1, 64},
            "downsampling of each stage; conv_vit has three stages, vit one, swin any number");
    visitor("dims", dims, config::Range{1, 16384}, "channels of each stage");
    visitor("depths", depths, config::Range{0, 256}, "blocks of each stage");
    visitor("heads", heads, config::Range{1, 256},
            "attention heads of the last stage; swin: a list, of each stage");
    visitor("mlp_ratios", mlp_ratios, config::Range{0.25, 64},
            "width of each stage's MLPs over its channels");
    visitor("norm_epsilon", norm_epsilon, config::Range{1e-15, 0.1},
            "added to the variance in the LayerNorms of transformer blocks and of the output");
    visitor("window", window, config::Range{0, 256},
            "side of the attention windows, in cells; swin only, otherwise 0");
  }
};

// A named size of a kind (tables in docs/tour/05-encoder.md). Throws Error(kUsage) for an unknown
// kind or name.
EncoderOptions named_size(const std::string& kind, const std::string& name);

}  // namespace fcm::encoder
