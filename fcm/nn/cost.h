// The cost of a network, computed from its shapes. A model adds up the costs of its parts.
#pragma once

#include <cstdint>

namespace fcm::nn {

// The cost of a training pass over one image.
struct Cost {
  double multiply_adds = 0;  // of the forward pass: matrix products, convolutions, attention
  double kept = 0;           // values saved for backward: an upper estimate

  Cost& operator+=(const Cost& other);
};

// `depth` transformer blocks (nn::Blocks) of width `dim` on `tokens` tokens in sequences of
// `length`.
Cost blocks_cost(int64_t depth, int64_t tokens, int64_t length, int64_t dim, double mlp_ratio);

}  // namespace fcm::nn
