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
  double share = 1;
  std::string reads = "latent";

  bool linear() const { return kind == "linear"; }
  bool cross() const { return kind == "cross"; }
  bool reads_blocks() const { return cross() && reads == "mix"; }

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor(
        "kind", kind, config::OneOf{{"transformer", "transformer_shuffled", "linear", "cross"}},
        "transformer: the decoder inserts mask tokens for hidden patches. transformer_shuffled: "
        "the same with an error of GreenMIM's code: visible patches get each other's positions. "
        "linear, SimMIM: the encoder sees mask tokens, and one linear layer predicts the pixels "
        "from its latents; dim and the rest of the section are unused. cross, CrossMAE: hidden "
        "patches attend to the view's visible patches, and not to each other");
    visitor("dim", dim, config::Range{1, 16384}, "width of the decoder's tokens");
    visitor("depth", depth, config::Range{0, 256}, "transformer blocks, summed over all targets");
    visitor("heads", heads, config::Range{1, 256}, "attention heads");
    visitor("mlp_ratio", mlp_ratio, config::Range{0.25, 64},
            "width of an MLP's hidden layer, divided by dim");
    visitor("independent_blocks", independent_blocks, config::Range{0, 256},
            "with several targets: how many of the depth blocks each target has for itself; all "
            "targets share the others");
    visitor("share", share, config::Range{0.01, 1},
            "share of a view's hidden patches that training draws and predicts; below 1 only with "
            "kind = \"cross\"");
    visitor("reads", reads, config::OneOf{{"latent", "mix"}},
            "what each block of kind = \"cross\" attends to. latent: the encoder's latents. mix: "
            "its own learned mix of the latents and the inputs of the last stage's blocks");
  }
};

}  // namespace fcm::decoder
