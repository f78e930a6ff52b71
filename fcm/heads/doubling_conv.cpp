#include "fcm/heads/doubling_conv.h"

#include <ATen/ATen.h>

#include <vector>

#include "fcm/ops/linear/op.h"

namespace fcm::heads {

DoublingConv::DoublingConv(const nn::Scope& scope, int64_t in, int64_t out, nn::ConvStart start)
    : weight_IO22_(nn::add_weight(scope, {in, out, 2, 2}, start)),
      bias_O_(nn::add_bias(scope, out, {in, out, 2, 2}, start)) {}

at::Tensor DoublingConv::cells(const at::Tensor& map_BHWI) const {
  const int64_t in = weight_IO22_.size(0), out = weight_IO22_.size(1);
  const at::Tensor weight =  // [(row, column, O), I]
      weight_IO22_.permute({2, 3, 1, 0}).reshape({4 * out, in});
  return ops::linear(map_BHWI, weight, bias_O_.repeat({4}))
      .view({map_BHWI.size(0), map_BHWI.size(1), map_BHWI.size(2), 4, out});
}

at::Tensor DoublingConv::operator()(const at::Tensor& map_BHWI) const {
  return map_of_cells(cells(map_BHWI));
}

at::Tensor map_of_cells(const at::Tensor& cells_BHW4) {
  const std::vector<int64_t> sizes = cells_BHW4.sizes().vec();
  std::vector<int64_t> split{sizes[0], sizes[1], sizes[2], 2, 2};
  std::vector<int64_t> whole{sizes[0], 2 * sizes[1], 2 * sizes[2]};
  split.insert(split.end(), sizes.begin() + 4, sizes.end());
  whole.insert(whole.end(), sizes.begin() + 4, sizes.end());
  return cells_BHW4.reshape(split).transpose(2, 3).reshape(whole);
}

}  // namespace fcm::heads
