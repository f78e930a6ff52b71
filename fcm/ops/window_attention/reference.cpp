#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "fcm/ops/window_attention/op.h"

namespace fcm::ops {
namespace {

// For each pair of tokens of a plan, the row of the table with its bias, or -1 if the tokens are in
// different sets. [P, T, T], int64.
at::Tensor rows_of_table(const WindowSets& sets) {
  const at::Tensor indices_PT = sets.tokens_PT.cpu(), queries_PT = sets.queries_PT.cpu(),
                   keys_PT = sets.keys_PT.cpu(), sets_S4 = sets.sets_S4.cpu();
  const auto places = indices_PT.view({-1}), queries = queries_PT.view({-1}),
             keys = keys_PT.view({-1});
  const auto place = places.accessor<int32_t, 1>(), query = queries.accessor<int32_t, 1>(),
             key = keys.accessor<int32_t, 1>();
  const auto set = sets_S4.accessor<int32_t, 2>();
  at::Tensor rows_PTT = at::full({sets.plans(), sets.tokens(), sets.tokens()}, -1, at::kLong);
  auto rows = rows_PTT.accessor<int64_t, 3>();
  for (int64_t s = 0; s < sets_S4.size(0); ++s) {
    for (int64_t i = set[s][1]; i < set[s][1] + set[s][2]; ++i) {
      for (int64_t j = set[s][1]; j < set[s][1] + set[s][2]; ++j) {
        rows[set[s][0]][place[i]][place[j]] = query[i] - key[j] + sets.centre;
      }
    }
  }
  return rows_PTT;
}

}  // namespace

at::Tensor window_attention_reference(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                      const WindowSets& sets) {
  const auto wide = qkv_BTD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t b = qkv_BTD.size(0), t = qkv_BTD.size(1), c = qkv_BTD.size(2) / 3,
                heads = table_RH.size(1);
  const at::Tensor split =
      qkv_BTD.to(wide).reshape({b, t, 3, heads, c / heads}).permute({2, 0, 3, 1, 4});
  const double scale = 1 / std::sqrt(static_cast<double>(c / heads));
  const at::Tensor scores_BhTT =
      at::matmul(split.select(0, 0), split.select(0, 1).transpose(-2, -1)) * scale;
  const at::Tensor rows_PTT = rows_of_table(sets).to(qkv_BTD.device());
  const at::Tensor bias_PhTT = table_RH.to(wide)
                                   .index_select(0, rows_PTT.clamp_min(0).view({-1}))
                                   .view({sets.plans(), t, t, heads})
                                   .permute({0, 3, 1, 2});
  const at::Tensor apart_P1TT = (rows_PTT < 0).unsqueeze(1);
  const at::Tensor masked_BhTT =
      (scores_BhTT + bias_PhTT).masked_fill(apart_P1TT, -std::numeric_limits<double>::infinity());
  const at::Tensor out_BhTd = at::matmul(at::softmax(masked_BhTT, -1), split.select(0, 2));
  return out_BhTd.transpose(1, 2).reshape({b, t, c}).to(qkv_BTD.scalar_type());
}

namespace {

// The sets as a matrix: one row per set, padded to the size of the largest set.
struct Padding {
  at::Tensor tokens_SM;            // int64: index of the token over all images; 0 in the padding
  at::Tensor inside_SM;            // bool
  at::Tensor queries_SM, keys_SM;  // int64
  at::Tensor places;               // int64: flat index in tokens_SM of each token of all images
};

Padding padded(const WindowSets& sets, int64_t batch) {
  const at::Tensor indices_PT = sets.tokens_PT.cpu(), queries_PT = sets.queries_PT.cpu(),
                   keys_PT = sets.keys_PT.cpu(), sets_S4 = sets.sets_S4.cpu();
  const auto places = indices_PT.view({-1}), queries = queries_PT.view({-1}),
             keys = keys_PT.view({-1});
  const auto place = places.accessor<int32_t, 1>(), query = queries.accessor<int32_t, 1>(),
             key = keys.accessor<int32_t, 1>();
  const auto set = sets_S4.accessor<int32_t, 2>();
  const int64_t copies = sets.plans() == 1 ? batch : 1, count = sets_S4.size(0) * copies;
  const auto numbers = [&] { return at::zeros({count, sets.largest}, at::kLong); };
  Padding result{numbers(), at::zeros({count, sets.largest}, at::kBool), numbers(), numbers(),
                 at::zeros({batch * sets.tokens()}, at::kLong)};
  auto tokens = result.tokens_SM.accessor<int64_t, 2>();
  auto inside = result.inside_SM.accessor<bool, 2>();
  auto padded_queries = result.queries_SM.accessor<int64_t, 2>();
  auto padded_keys = result.keys_SM.accessor<int64_t, 2>();
  auto back = result.places.accessor<int64_t, 1>();
  for (int64_t item = 0; item < count; ++item) {
    const auto one = set[item / copies];
    const int64_t first_row = (one[0] + item % copies) * sets.tokens();
    for (int64_t i = 0; i < one[2]; ++i) {
      tokens[item][i] = first_row + place[one[1] + i];
      inside[item][i] = true;
      padded_queries[item][i] = query[one[1] + i];
      padded_keys[item][i] = key[one[1] + i];
      back[tokens[item][i]] = item * sets.largest + i;
    }
  }
  return result;
}

}  // namespace

at::Tensor window_attention_library(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                    const WindowSets& sets) {
  const int64_t b = qkv_BTD.size(0), t = qkv_BTD.size(1), c = qkv_BTD.size(2) / 3,
                heads = table_RH.size(1), most = sets.largest;
  const at::Device device = qkv_BTD.device();
  const Padding padding = padded(sets, b);
  const at::Tensor rows_SMD = qkv_BTD.reshape({b * t, 3 * c})
                                  .index_select(0, padding.tokens_SM.view({-1}).to(device))
                                  .view({-1, most, 3, heads, c / heads});
  const std::vector<at::Tensor> split_SMhd = rows_SMD.unbind(2);
  const auto per_head = [&](size_t part) { return split_SMhd[part].transpose(1, 2); };
  const at::Tensor index_SMM =
      (padding.queries_SM.unsqueeze(2) - padding.keys_SM.unsqueeze(1) + sets.centre)
          .clamp(0, sets.table_rows - 1)
          .to(device);
  const at::Tensor bias_ShMM = table_RH.to(qkv_BTD.scalar_type())
                                   .index_select(0, index_SMM.view({-1}))
                                   .view({-1, most, most, heads})
                                   .permute({0, 3, 1, 2});
  const double scale = 1 / std::sqrt(static_cast<double>(c / heads));
  const at::Tensor outside_S11M =
      padding.inside_SM.logical_not().to(device).unsqueeze(1).unsqueeze(1);
  const at::Tensor scores_ShMM =
      (at::matmul(per_head(0) * scale, per_head(1).transpose(-2, -1)) + bias_ShMM)
          .masked_fill(outside_S11M, -std::numeric_limits<double>::infinity());
  const at::Tensor out_ShMd = at::matmul(at::softmax(scores_ShMM, -1), per_head(2));
  return out_ShMd.transpose(1, 2)
      .reshape({-1, c})
      .index_select(0, padding.places.to(device))
      .view({b, t, c});
}

}  // namespace fcm::ops
