#include "fcm/ops/decomposed_attention/op.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::ScalarType arithmetic_of(const at::Tensor& qkv) {
  return qkv.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// Operations of one T x T x head_dim product, over all sequences and heads.
double operations_of(const at::Tensor& qkv_NTD) {
  const auto tokens = static_cast<double>(qkv_NTD.size(1));
  return 2 * tokens * tokens * static_cast<double>(qkv_NTD.size(0) * qkv_NTD.size(2) / 3);
}

// Work in chunks: Z heads of one sequence, processed a few rows of queries at a time.
struct MapChunks {
  int64_t heads, rows, cols;       // of the map
  int64_t together, rows_at_once;  // heads of a chunk, rows of queries at a time

  MapChunks(int64_t heads_, int64_t rows_, int64_t cols_, const at::Tensor& qkv)
      : heads(heads_), rows(rows_), cols(cols_) {
    const int64_t scores = qkv.is_cpu() ? 1 << 18 : 1 << 24;  // at a time; 2^18 fit a CPU's caches
    together = std::clamp<int64_t>(scores / (tokens() * tokens()), 1, heads);
    rows_at_once = std::clamp<int64_t>(scores / (together * cols * tokens()), 1, rows);
  }
  int64_t tokens() const { return rows * cols; }
  int64_t of_sequence() const { return (heads + together - 1) / together; }

  // Calls task(sequence, first head, heads, chunk number), in parallel on a CPU.
  template <class Task>
  void for_each(const at::Tensor& qkv_NTD, const Task& task) const {
    const auto chunks = [&](int64_t begin, int64_t end) {
      const at::NoGradGuard no_grad;
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t first = chunk % of_sequence() * together;
        task(chunk / of_sequence(), first, std::min(together, heads - first), chunk);
      }
    };
    const int64_t count = qkv_NTD.size(0) * of_sequence();
    if (qkv_NTD.is_cpu()) {
      at::parallel_for(0, count, 1, chunks);
    } else {
      chunks(0, count);
    }
  }
  // [Z, T, d]: `count` heads of one part of [N, T, parts, heads, d].
  at::Tensor heads_of(const at::Tensor& x_NTD, int64_t parts, int64_t part, int64_t sequence,
                      int64_t first, int64_t count) const {
    return x_NTD[sequence]
        .unflatten(1, {parts, heads, -1})
        .select(1, part)
        .narrow(1, first, count)
        .transpose(0, 1);
  }
  // [Z, T, e] -> [rows, Z * cols, e] and [cols, Z * rows, e]; back_from_... are the inverses.
  at::Tensor rows_first(const at::Tensor& x_ZTe) const {
    return x_ZTe.unflatten(1, {rows, cols}).transpose(0, 1).flatten(1, 2);
  }
  at::Tensor cols_first(const at::Tensor& x_ZTe) const {
    return x_ZTe.unflatten(1, {rows, cols}).permute({2, 0, 1, 3}).flatten(1, 2);
  }
  at::Tensor back_from_rows(const at::Tensor& x) const {
    return x.unflatten(1, {-1, cols}).transpose(0, 1).flatten(1, 2);
  }
  at::Tensor back_from_cols(const at::Tensor& x) const {
    return x.unflatten(1, {-1, rows}).permute({1, 2, 0, 3}).flatten(1, 2);
  }
};

// indices_of_pairs: the table index of every pair of positions, [size * size]. entries_of: the
// table entries at these indices, [size, size, d].
at::Tensor indices_of_pairs(int64_t size, const at::Tensor& table_Rd) {
  const at::Tensor places = at::arange(size, table_Rd.options().dtype(at::kLong));
  return (places.unsqueeze(1) - places.unsqueeze(0) + (size - 1)).flatten();
}
at::Tensor entries_of(const at::Tensor& table_Rd, int64_t size, at::ScalarType type) {
  return table_Rd.to(type).index_select(0, indices_of_pairs(size, table_Rd)).view({size, size, -1});
}

// The tables expanded to one matrix per row and per column of queries.
struct ExpandedTables {
  at::Tensor rows_RRd, cols_CCd;
  ExpandedTables(const at::Tensor& rows_Rd, const at::Tensor& cols_Rd, const MapChunks& map,
                 at::ScalarType type)
      : rows_RRd(entries_of(rows_Rd, map.rows, type)),
        cols_CCd(entries_of(cols_Rd, map.cols, type)) {}
};

// q, k, v and biases of a chunk, in the type of the arithmetic.
struct Chunk {
  at::Tensor q_ZTd, scaled_ZTd, k_ZTd, v_ZTd;
  at::Tensor by_row_ZTR, by_col_ZTC;  // biases for the rows and for the columns of keys

  Chunk(const at::Tensor& qkv_NTD, const MapChunks& map, const ExpandedTables& tables,
        int64_t sequence, int64_t first, int64_t count) {
    const auto operand = [&](int64_t part) {
      return map.heads_of(qkv_NTD, 3, part, sequence, first, count)
          .to(arithmetic_of(qkv_NTD))
          .contiguous();
    };
    q_ZTd = operand(0);
    k_ZTd = operand(1);
    v_ZTd = operand(2);
    scaled_ZTd = q_ZTd * scale();
    by_row_ZTR =
        map.back_from_rows(at::bmm(map.rows_first(q_ZTd), tables.rows_RRd.transpose(1, 2)));
    by_col_ZTC =
        map.back_from_cols(at::bmm(map.cols_first(q_ZTd), tables.cols_CCd.transpose(1, 2)));
  }
  double scale() const { return 1 / std::sqrt(static_cast<double>(q_ZTd.size(2))); }

  // For the queries [first, first + count): [Z, count, T].
  at::Tensor probabilities(const MapChunks& map, int64_t first, int64_t count) const {
    at::Tensor scores = at::bmm(scaled_ZTd.narrow(1, first, count), k_ZTd.transpose(1, 2));
    scores.unflatten(2, {map.rows, map.cols})
        .add_(by_row_ZTR.narrow(1, first, count).unsqueeze(-1))
        .add_(by_col_ZTC.narrow(1, first, count).unsqueeze(-2));
    return scores.softmax(-1);
  }
};

class DecomposedAttention : public torch::autograd::Function<DecomposedAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv_NTD,
                            const at::Tensor& rows_Rd, const at::Tensor& cols_Rd, int64_t heads,
                            int64_t rows, int64_t cols) {
    context->save_for_backward({qkv_NTD, rows_Rd, cols_Rd});
    context->saved_data["map"] = std::vector<int64_t>{heads, rows, cols};
    const at::Tensor qkv = qkv_NTD.detach();
    const MapChunks map(heads, rows, cols, qkv);
    const ExpandedTables tables(rows_Rd, cols_Rd, map, arithmetic_of(qkv));
    const at::Tensor out_NTC =
        at::empty({qkv.size(0), qkv.size(1), qkv.size(2) / 3}, qkv.options());
    map.for_each(qkv, [&](int64_t sequence, int64_t first, int64_t count, int64_t) {
      const Chunk chunk(qkv, map, tables, sequence, first, count);
      const at::Tensor out_ZTd = map.heads_of(out_NTC, 1, 0, sequence, first, count);
      for (int64_t row = 0; row < rows; row += map.rows_at_once) {
        const int64_t begin = row * cols, queries = std::min(map.rows_at_once, rows - row) * cols;
        out_ZTd.narrow(1, begin, queries)
            .copy_(at::bmm(chunk.probabilities(map, begin, queries), chunk.v_ZTd));
      }
    });
    return out_NTC;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor qkv = saved[0].detach(), dout_NTC = gradients[0];
    const std::vector<int64_t> sizes = context->saved_data["map"].toIntVector();
    const MapChunks map(sizes[0], sizes[1], sizes[2], qkv);
    const ProfileScope timed("decomposed attention gradient", 6 * operations_of(qkv), 0);
    const at::ScalarType type = arithmetic_of(qkv);
    const ExpandedTables tables(saved[1].detach(), saved[2].detach(), map, type);
    const at::Tensor dqkv = at::empty_like(qkv);
    const int64_t chunks = qkv.size(0) * map.of_sequence();
    const auto of_chunks = [&](const at::Tensor& table_Rd) {
      return at::empty({chunks, table_Rd.size(0), table_Rd.size(1)}, qkv.options().dtype(type));
    };
    const at::Tensor drows_P = of_chunks(saved[1]), dcols_P = of_chunks(saved[2]);
    map.for_each(qkv, [&](int64_t sequence, int64_t first, int64_t count, int64_t number) {
      const Chunk chunk(qkv, map, tables, sequence, first, count);
      const at::Tensor dout_ZTd =
          map.heads_of(dout_NTC, 1, 0, sequence, first, count).to(type).contiguous();
      const Sums sums = sums_of(chunk, map, dout_ZTd);
      // The biases are products of q and the tables.
      const at::Tensor by_row = map.rows_first(sums.by_row_ZTR),
                       by_col = map.cols_first(sums.by_col_ZTC);
      const at::Tensor dq_ZTd = sums.q_ZTd * chunk.scale() +
                                map.back_from_rows(at::bmm(by_row, tables.rows_RRd)) +
                                map.back_from_cols(at::bmm(by_col, tables.cols_CCd));
      sum_entries(at::bmm(by_row.transpose(1, 2), map.rows_first(chunk.q_ZTd)), drows_P[number]);
      sum_entries(at::bmm(by_col.transpose(1, 2), map.cols_first(chunk.q_ZTd)), dcols_P[number]);
      map.heads_of(dqkv, 3, 0, sequence, first, count).copy_(dq_ZTd);
      map.heads_of(dqkv, 3, 1, sequence, first, count).copy_(sums.k_ZTd);
      map.heads_of(dqkv, 3, 2, sequence, first, count).copy_(sums.v_ZTd);
    });
    return {dqkv,
            drows_P.sum(0).to(saved[1].scalar_type()),
            dcols_P.sum(0).to(saved[2].scalar_type()),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }

 private:
  // Gradients of a chunk's scaled queries, keys, values and biases.
  struct Sums {
    at::Tensor q_ZTd, k_ZTd, v_ZTd, by_row_ZTR, by_col_ZTC;
  };

  static Sums sums_of(const Chunk& chunk, const MapChunks& map, const at::Tensor& dout_ZTd) {
    const Sums sums{at::empty_like(chunk.q_ZTd), at::zeros_like(chunk.k_ZTd),
                    at::zeros_like(chunk.v_ZTd), at::empty_like(chunk.by_row_ZTR),
                    at::empty_like(chunk.by_col_ZTC)};
    for (int64_t row = 0; row < map.rows; row += map.rows_at_once) {
      const int64_t first = row * map.cols,
                    count = std::min(map.rows_at_once, map.rows - row) * map.cols;
      const auto of_queries = [&](const at::Tensor& x) { return x.narrow(1, first, count); };
      const at::Tensor p = chunk.probabilities(map, first, count), dout = of_queries(dout_ZTd);
      const at::Tensor dscores = at::_softmax_backward_data(
          at::bmm(dout, chunk.v_ZTd.transpose(1, 2)), p, -1, p.scalar_type());
      const at::Tensor by_place = dscores.unflatten(2, {map.rows, map.cols});
      of_queries(sums.by_row_ZTR).copy_(by_place.sum(-1));
      of_queries(sums.by_col_ZTC).copy_(by_place.sum(-2));
      of_queries(sums.q_ZTd).copy_(at::bmm(dscores, chunk.k_ZTd));
      at::Tensor dk = sums.k_ZTd, dv = sums.v_ZTd;
      dk.baddbmm_(dscores.transpose(1, 2), of_queries(chunk.scaled_ZTd));
      dv.baddbmm_(p.transpose(1, 2), dout);
    }
    return sums;
  }

  // Sums entries [size, size, d] into the table that they were taken from.
  static void sum_entries(const at::Tensor& dentries_SSd, at::Tensor dtable_Rd) {
    const int64_t size = dentries_SSd.size(0);
    dtable_Rd.zero_();
    dtable_Rd.index_add_(0, indices_of_pairs(size, dtable_Rd), dentries_SSd.flatten(0, 1));
  }
};

}  // namespace

at::Tensor decomposed_attention(const at::Tensor& qkv_NTD, int64_t heads,
                                const DecomposedTables& tables, int64_t rows, int64_t cols) {
  require(
      qkv_NTD.dim() == 3 && heads > 0 && qkv_NTD.size(2) % (3 * heads) == 0 &&
          qkv_NTD.size(1) == rows * cols,
      "decomposed_attention: expected [N, {} * {}, 3 * C] with C a multiple of {} heads, got {} "
      "dimensions, the last two of {} and {}",
      rows, cols, heads, qkv_NTD.dim(), qkv_NTD.size(-2), qkv_NTD.size(-1));
  const int64_t dim = qkv_NTD.size(2) / (3 * heads);
  require(
      tables.rows_Rd.sizes() == at::IntArrayRef({2 * rows - 1, dim}) &&
          tables.cols_Rd.sizes() == at::IntArrayRef({2 * cols - 1, dim}),
      "decomposed_attention over {} x {} tokens: expected tables of {} and {} rows of {} values",
      rows, cols, 2 * rows - 1, 2 * cols - 1, dim);
  if (qkv_NTD.numel() == 0 || reference_ops()) {
    return decomposed_attention_reference(qkv_NTD, heads, tables, rows, cols);
  }
  const ProfileScope timed("decomposed attention", 2 * operations_of(qkv_NTD), 0);
  return DecomposedAttention::apply(qkv_NTD, tables.rows_Rd, tables.cols_Rd, heads, rows, cols);
}

}  // namespace fcm::ops
