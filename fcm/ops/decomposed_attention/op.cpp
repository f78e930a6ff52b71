#include "fcm/ops/decomposed_attention/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/ops/part.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct MapSizes {
  int64_t heads, rows, cols;
};

// Some sequences, and for those some rows of queries.
struct AttentionTile {
  int64_t first_sequence, sequences, first_row, rows;
};

// Whole rows of queries, so that biases are two broadcasts; scores of a tile stay in the caches.
std::vector<AttentionTile> attention_tiles(int64_t sequences, const MapSizes& map) {
  constexpr int64_t kScores = 1 << 21;
  const int64_t of_row = map.heads * map.cols * map.rows * map.cols;
  const int64_t rows = std::clamp<int64_t>(kScores / of_row, 1, map.rows);
  const int64_t together = std::clamp<int64_t>(kScores / (of_row * map.rows), 1, sequences);
  std::vector<AttentionTile> tiles;
  for (int64_t n = 0; n < sequences; n += together) {
    for (int64_t row = 0; row < map.rows; row += rows) {
      tiles.push_back({n, std::min(together, sequences - n), row, std::min(rows, map.rows - row)});
    }
  }
  return tiles;
}

// [count, size, head_dim]: entries of the places [first, first + count) and all places.
at::Tensor entries(const at::Tensor& table_Rd, int64_t first, int64_t count, int64_t size) {
  const auto places = table_Rd.options().dtype(at::kLong);
  const at::Tensor index = at::arange(first, first + count, places).unsqueeze(1) -
                           at::arange(size, places).unsqueeze(0) + (size - 1);
  return table_Rd.index_select(0, index.reshape({-1})).view({count, size, -1});
}

// q [Z, r, C, d] of some rows of queries, k and v [Z, T, d] -> [Z, r * C, d]; Z: sequences and heads.
at::Tensor attend(const at::Tensor& q_ZrCd, const at::Tensor& k_ZTd, const at::Tensor& v_ZTd,
                  const at::Tensor& rows_Rd, const at::Tensor& cols_Rd, const MapSizes& map,
                  int64_t first_row) {
  const int64_t z = q_ZrCd.size(0), r = q_ZrCd.size(1), dim = q_ZrCd.size(3);
  const at::Tensor by_row_ZrCR =  // [r, Z * C, d] times [r, d, R]
      at::bmm(q_ZrCd.transpose(0, 1).reshape({r, -1, dim}),
              entries(rows_Rd, first_row, r, map.rows).transpose(1, 2))
          .view({r, z, map.cols, map.rows})
          .transpose(0, 1);
  const at::Tensor by_col_ZrCC =  // [C, Z * r, d] times [C, d, C]
      at::bmm(q_ZrCd.permute({2, 0, 1, 3}).reshape({map.cols, -1, dim}),
              entries(cols_Rd, 0, map.cols, map.cols).transpose(1, 2))
          .view({map.cols, z, r, map.cols})
          .permute({1, 2, 0, 3});
  const double scale = 1 / std::sqrt(static_cast<double>(dim));
  const at::Tensor scores =
      at::bmm((q_ZrCd * scale).flatten(1, 2), k_ZTd.transpose(1, 2))
          .view({z, r, map.cols, map.rows, map.cols})
          .add_(by_row_ZrCR.unsqueeze(-1))
          .add_(by_col_ZrCC.unsqueeze(-2));
  return at::bmm(scores.view({z, r * map.cols, -1}).softmax(-1), v_ZTd);
}

// Operands of a tile, leaves in the type of the arithmetic: q, k, v.
variable_list operands(const at::Tensor& qkv_NTD, const AttentionTile& tile, const MapSizes& map,
                       at::ScalarType wide) {
  const int64_t dim = qkv_NTD.size(2) / (3 * map.heads);
  variable_list parts;
  for (int64_t part = 0; part < 3; ++part) {
    const at::Tensor x_nThd =
        qkv_NTD.narrow(0, tile.first_sequence, tile.sequences)
            .unflatten(2, {3, map.heads, dim})
            .select(2, part);
    at::Tensor x_ZTd = x_nThd.transpose(1, 2).reshape({-1, x_nThd.size(1), dim}).to(wide);
    if (part == 0) {
      x_ZTd = x_ZTd.unflatten(1, {map.rows, map.cols}).narrow(1, tile.first_row, tile.rows);
    }
    parts.push_back(x_ZTd.contiguous());
  }
  return parts;
}

// Where results of a tile belong: [n, rows * cols of the tile, heads, d] of [N, T, heads * d].
at::Tensor place_of(const at::Tensor& x_NTC, const AttentionTile& tile, const MapSizes& map) {
  return x_NTC.narrow(0, tile.first_sequence, tile.sequences)
      .narrow(1, tile.first_row * map.cols, tile.rows * map.cols)
      .unflatten(2, {map.heads, -1});
}

// [Z, T, d] -> [n, T, heads, d]
at::Tensor by_token(const at::Tensor& x_ZTd, const MapSizes& map) {
  return x_ZTd.unflatten(0, {-1, map.heads}).transpose(1, 2);
}

class DecomposedAttention : public torch::autograd::Function<DecomposedAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv_NTD,
                            const at::Tensor& rows_Rd, const at::Tensor& cols_Rd, int64_t heads,
                            int64_t rows, int64_t cols) {
    const auto wide = qkv_NTD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const MapSizes map{heads, rows, cols};
    context->save_for_backward({qkv_NTD, rows_Rd, cols_Rd});
    context->saved_data["map"] = std::vector<int64_t>{heads, rows, cols};
    const at::Tensor out_NTC =
        at::empty({qkv_NTD.size(0), qkv_NTD.size(1), qkv_NTD.size(2) / 3}, qkv_NTD.options());
    for (const AttentionTile& tile : attention_tiles(qkv_NTD.size(0), map)) {
      const variable_list qkv = operands(qkv_NTD, tile, map, wide);
      place_of(out_NTC, tile, map)
          .copy_(by_token(attend(qkv[0], qkv[1], qkv[2], rows_Rd.to(wide), cols_Rd.to(wide), map,
                                 tile.first_row),
                          map));
    }
    return out_NTC;
  }

  // Each tile is made again with a graph of its own.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& qkv_NTD = saved[0];
    const auto wide = qkv_NTD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const std::vector<int64_t> sizes = context->saved_data["map"].toIntVector();
    const MapSizes map{sizes[0], sizes[1], sizes[2]};
    const auto of_tables = saved[1].options().dtype(wide);
    const at::Tensor drows = at::zeros(saved[1].sizes(), of_tables),
                     dcols = at::zeros(saved[2].sizes(), of_tables);
    const at::Tensor dqkv = at::zeros(qkv_NTD.sizes(), qkv_NTD.options().dtype(wide));
    const std::vector<at::Tensor> dparts = dqkv.chunk(3, 2);
    for (const AttentionTile& tile : attention_tiles(qkv_NTD.size(0), map)) {
      variable_list inputs = operands(qkv_NTD.detach(), tile, map, wide);
      inputs.push_back(saved[1].detach().to(wide, /*non_blocking=*/false, /*copy=*/true));
      inputs.push_back(saved[2].detach().to(wide, /*non_blocking=*/false, /*copy=*/true));
      const at::AutoGradMode with_graph(true);
      for (at::Tensor& input : inputs) input.set_requires_grad(true);
      const at::Tensor out =
          attend(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], map, tile.first_row);
      const at::Tensor dout =
          place_of(gradients[0], tile, map).transpose(1, 2).to(wide).reshape(out.sizes());
      const variable_list found = torch::autograd::grad({out}, inputs, {dout});
      const at::NoGradGuard no_grad;
      const AttentionTile keys{tile.first_sequence, tile.sequences, 0, map.rows};
      place_of(dparts[0], tile, map).copy_(by_token(found[0].flatten(1, 2), map));
      place_of(dparts[1], keys, map).add_(by_token(found[1], map));
      place_of(dparts[2], keys, map).add_(by_token(found[2], map));
      drows.add_(found[3]);
      dcols.add_(found[4]);
    }
    return {dqkv.to(qkv_NTD.scalar_type()),
            drows.to(saved[1].scalar_type()),
            dcols.to(saved[2].scalar_type()),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor decomposed_attention(const at::Tensor& qkv_NTD, int64_t heads,
                                const DecomposedTables& tables, int64_t rows, int64_t cols) {
  require(qkv_NTD.dim() == 3 && heads > 0 && qkv_NTD.size(2) % (3 * heads) == 0 &&
              qkv_NTD.size(1) == rows * cols,
          "decomposed_attention wants [N, {} * {}, 3 * C] with C a multiple of {} heads, got {} "
          "dimensions, the last two of {} and {}",
          rows, cols, heads, qkv_NTD.dim(), qkv_NTD.size(-2), qkv_NTD.size(-1));
  const int64_t dim = qkv_NTD.size(2) / (3 * heads);
  require(tables.rows_Rd.sizes() == at::IntArrayRef({2 * rows - 1, dim}) &&
              tables.cols_Rd.sizes() == at::IntArrayRef({2 * cols - 1, dim}),
          "decomposed_attention over {} x {} tokens wants tables of {} and {} rows of {} numbers",
          rows, cols, 2 * rows - 1, 2 * cols - 1, dim);
  if (qkv_NTD.numel() == 0 || reference_ops()) {
    return decomposed_attention_reference(qkv_NTD, heads, tables, rows, cols);
  }
  const double pairs = static_cast<double>(qkv_NTD.size(0) * rows * cols * rows * cols);
  const Part timed("decomposed attention", 4 * pairs * static_cast<double>(heads * dim), 0);
  return DecomposedAttention::apply(qkv_NTD, tables.rows_Rd, tables.cols_Rd, heads, rows, cols);
}

}  // namespace fcm::ops
