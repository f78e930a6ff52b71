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
        "transformer: hidden patches come in here, as mask tokens. transformer_shuffled: the "
        "same as GreenMIM published it, with visible patches at each other's places. linear, "
        "SimMIM: hidden patches are mask tokens in the encoder, and one product makes pixels of "
        "what it leaves; dim and the rest of the section are not used. cross, CrossMAE: hidden "
        "patches attend to the view's visible ones, and not to each other");
    visitor("dim", dim, config::Range{1, 16384}, "width");
    visitor("depth", depth, config::Range{0, 256},
            "transformer blocks, those of all targets together");
    visitor("heads", heads, config::Range{1, 256}, "attention heads");
    visitor("mlp_ratio", mlp_ratio, config::Range{0.25, 64}, "width of the MLPs over dim");
    visitor("independent_blocks", independent_blocks, config::Range{0, 256},
            "of depth, blocks of each target's own where there are several; the rest is shared");
    visitor("share", share, config::Range{0.01, 1},
            "of the patches hidden from a view, those drawn to be guessed, in training; less than "
            "1 with kind = \"cross\" alone");
    visitor("reads", reads, config::OneOf{{"latent", "mix"}},
            "what each block of kind = \"cross\" attends to. latent: the encoder's result. mix: a "
            "learned mix of its own of what the encoder's last blocks take, and of that result");
  }
};

}  // namespace fcm::decoder
