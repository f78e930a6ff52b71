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
        "transformer: hidden patches come in here, as mask tokens. transformer_shuffled: the "
        "same as GreenMIM published it, with visible patches at each other's places. linear, "
        "SimMIM: hidden patches are mask tokens in the encoder, and one product makes pixels of "
        "what it leaves; dim and the rest of the section are not used");
    visitor("dim", dim, config::Range{1, 16384}, "width");
    visitor("depth", depth, config::Range{0, 256},
            "transformer blocks, those of all targets together");
    visitor("heads", heads, config::Range{1, 256}, "attention heads");
    visitor("mlp_ratio", mlp_ratio, config::Range{0.25, 64}, "width of the MLPs over dim");
    visitor("independent_blocks", independent_blocks, config::Range{0, 256},
            "of depth, blocks of each target's own where there are several; the rest is shared");
  }
};

}  // namespace fcm::decoder
