#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::encoder {

// Families of encoders, and their names in recipes (model.kind): "conv_vit", "vit".
enum class Kind { kConvVit, kVit };
Kind kind_named(const std::string& name);  // Error(kUsage) for another name

// Stages of a kind: the number of elements of the lists below.
size_t stages(Kind kind);
// Class tokens in front of every sequence of patches: 1 for the ViT, 0 for ConvViT.
int64_t class_tokens(Kind kind);

// A hierarchical encoder: convolution stages first, transformer last (ConvViT), or the transformer
// alone (ViT: lists of one element).
struct EncoderOptions {
  // Or a name, with the fields below as named_size has them; "checkpoint": recipes of downstream
  // tasks take their encoder from the checkpoint they start from (tasks/checkpoint_encoder.h).
  std::string size = "custom";
  std::vector<int64_t> strides{4, 2, 2};
  std::vector<int64_t> dims{256, 384, 768};
  std::vector<int64_t> depths{2, 2, 11};
  int64_t heads = 12;
  std::vector<double> mlp_ratios{4, 4, 4};

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor(
        "size", size,
        config::OneOf{{"custom", "small", "base", "large", "large_paper", "huge", "checkpoint"}},
        "named size; the other keys of the section must then agree with it. checkpoint, for "
        "finetune and linprobe: the encoder is that of --checkpoint, the other keys are for "
        "--from-scratch");
    visitor("strides", strides, config::Range{1, 64},
            "downsampling of each stage; conv_vit has three stages, vit one");
    visitor("dims", dims, config::Range{1, 16384}, "channels of each stage");
    visitor("depths", depths, config::Range{0, 256}, "blocks of each stage");
    visitor("heads", heads, config::Range{1, 256}, "attention heads of the last stage");
    visitor("mlp_ratios", mlp_ratios, config::Range{0.25, 64},
            "width of each stage's MLPs over its channels");
  }
};

// S, B, L, H of a family (docs/tour/05-encoder.md has the tables and their sources). Throws
// Error(kUsage) for a name that the kind does not have.
EncoderOptions named_size(Kind kind, const std::string& name);

}  // namespace fcm::encoder
