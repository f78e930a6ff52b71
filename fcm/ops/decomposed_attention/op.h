// Softmax attention over a map of tokens with decomposed relative position biases: the product of
// the query with a table of row distances, plus its product with a table of column distances.
// Source: detectron2's add_decomposed_rel_pos, as Official-ConvMAE-Det (modeling/convmae.py
// Attention) calls it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::ops {

struct DecomposedTables {
  at::Tensor rows_Rd, cols_Rd;  // [2 * rows - 1, head_dim], [2 * cols - 1, head_dim]
};

// qkv_NTD: [N, rows * cols, 3 * C] in raster order, q, k, v each [heads, C / heads], as the fused
// qkv Linear writes it. The score of query i and key j is (C / heads)^-0.5 q_i k_j + q_i rows[r_i -
// r_j + rows - 1] + q_i cols[c_i - c_j + cols - 1]: the biases use q without its scale. Returns [N,
// T, C]. Softmax and products in float32 (float64 for float64); float32, bfloat16 or float64,
// tables of any floating type. Scores are computed for some queries at a time and recomputed in
// backward: memory grows with T, not with its square. Not differentiable twice.
at::Tensor decomposed_attention(const at::Tensor& qkv_NTD, int64_t heads,
                                const DecomposedTables& tables, int64_t rows, int64_t cols);
// The reference stores the biases of all pairs of tokens.
at::Tensor decomposed_attention_reference(const at::Tensor& qkv_NTD, int64_t heads,
                                          const DecomposedTables& tables, int64_t rows,
                                          int64_t cols);

}  // namespace fcm::ops
