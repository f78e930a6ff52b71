#include <ATen/ATen.h>

#include "fcm/ops/patch_depthwise_conv/op.h"

namespace fcm::ops {
namespace {

// For one tap: which of the nine neighbours each cell reads, and which stored index in it.
struct TapTable {
  at::Tensor around_P;  // int64, 0..8
  at::Tensor place_P;   // int64
};

TapTable tap_table(const Cells& cells, int64_t tap, at::Device device) {
  const int64_t side = cells.side;
  std::vector<int64_t> stored(cells.raster.size());  // raster -> stored index
  for (size_t place = 0; place < cells.raster.size(); ++place) {
    stored[static_cast<size_t>(cells.raster[place])] = static_cast<int64_t>(place);
  }
  std::vector<int64_t> around, places;
  for (const int64_t cell : cells.raster) {
    const int64_t row = cell / side + tap / 5 - 2 + side;  // + side: never negative
    const int64_t col = cell % side + tap % 5 - 2 + side;
    around.push_back(row / side * 3 + col / side);
    places.push_back(stored[static_cast<size_t>(row % side * side + col % side)]);
  }
  return {at::tensor(around, at::kLong).to(device), at::tensor(places, at::kLong).to(device)};
}

}  // namespace

at::Tensor patch_depthwise_conv_reference(const at::Tensor& x_BLPC, const at::Tensor& weight_TC,
                                          const at::Tensor& bias_C,
                                          const at::Tensor& neighbours_BL9, const Cells& cells) {
  const int64_t batch = x_BLPC.size(0), slots = x_BLPC.size(1);
  const int64_t count = x_BLPC.size(2), channels = x_BLPC.size(3);
  const at::ScalarType sum_type = x_BLPC.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  // An additional slot of zeros stands for missing neighbours.
  const at::Tensor zeros = at::zeros({batch, 1, count, channels}, x_BLPC.options().dtype(sum_type));
  const at::Tensor padded_XC = at::cat({x_BLPC.to(sum_type), zeros}, 1).reshape({-1, channels});
  const at::Tensor neighbours = neighbours_BL9.to(at::kLong);
  const at::Tensor slot_BL9 = at::where(neighbours < 0, slots, neighbours);
  const at::Tensor first_B11 =
      at::arange(batch, neighbours.options()).view({-1, 1, 1}) * (slots + 1);
  const at::Tensor weight = weight_TC.to(sum_type);
  at::Tensor sum_BLPC = bias_C.to(sum_type).expand({batch, slots, count, channels});
  for (int64_t tap = 0; tap < 25; ++tap) {
    const TapTable table = tap_table(cells, tap, x_BLPC.device());
    const at::Tensor slot_BLP = slot_BL9.index_select(2, table.around_P);
    const at::Tensor index = ((first_B11 + slot_BLP) * count + table.place_P).reshape({-1});
    sum_BLPC = sum_BLPC + padded_XC.index_select(0, index).view_as(sum_BLPC) * weight[tap];
  }
  return sum_BLPC.to(x_BLPC.scalar_type());
}

}  // namespace fcm::ops
