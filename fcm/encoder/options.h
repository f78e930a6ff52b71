#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::encoder {

// A hierarchical encoder: convolution stages first, transformer last (ConvViT).
struct EncoderOptions {
  std::string size = "custom";  // or a name, with the fields below as named_size has them
  std::vector<int64_t> strides{4, 2, 2};
  std::vector<int64_t> dims{256, 384, 768};
  std::vector<int64_t> depths{2, 2, 11};
  int64_t heads = 12;
  std::vector<double> mlp_ratios{4, 4, 4};

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("size", size,
            config::OneOf{{"custom", "small", "base", "large", "large_paper", "huge"}},
            "named size; the other keys of the section must then agree with it");
    visitor("strides", strides, config::Range{1, 64, 3}, "downsampling of each stage");
    visitor("dims", dims, config::Range{1, 16384, 3}, "channels of each stage");
    visitor("depths", depths, config::Range{0, 256, 3}, "blocks of each stage");
    visitor("heads", heads, config::Range{1, 256}, "attention heads of the last stage");
    visitor("mlp_ratios", mlp_ratios, config::Range{0.25, 64, 3},
            "width of each stage's MLPs over its channels");
  }
};

// S, B, L, H of the ConvViT family (docs/tour/05-encoder.md has the table and its sources).
// Throws Error(kUsage) for a name it does not know.
EncoderOptions named_size(const std::string& name);

}  // namespace fcm::encoder
