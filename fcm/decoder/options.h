#pragma once

#include <cstdint>
#include <string>

#include "fcm/config/field.h"

namespace fcm::decoder {

struct DecoderOptions {
  int64_t dim = 512;
  int64_t depth = 8;
  int64_t heads = 16;
  double mlp_ratio = 4.0;
  int64_t independent_blocks = 1;
  std::string kind = "transformer";

  bool linear() const { return kind == "linear"; }

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor(
        "kind", kind, config::OneOf{{"transformer", "transformer_shuffled", "linear"}},
        "transformer: the decoder inserts mask tokens for hidden patches. transformer_shuffled: "
        "the "
        "same as in GreenMIM's code, which gives visible patches each other's positions. linear, "
        "SimMIM: the encoder sees mask tokens, and one linear layer predicts the pixels from "
        "its latents; dim and the rest of the section are unused");
    visitor("dim", dim, config::Range{1, 16384}, "width");
    visitor("depth", depth, config::Range{0, 256}, "transformer blocks, summed over all targets");
    visitor("heads", heads, config::Range{1, 256}, "attention heads");
    visitor("mlp_ratio", mlp_ratio, config::Range{0.25, 64}, "width of the MLPs over dim");
    visitor(
        "independent_blocks", independent_blocks, config::Range{0, 256},
        "with several targets, how many blocks of depth each has of its own; the rest is shared");
  }
};

}  // namespace fcm::decoder
