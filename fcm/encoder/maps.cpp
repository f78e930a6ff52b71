#include "fcm/encoder/maps.h"

#include <ATen/ATen.h>

#include <vector>

#include "fcm/ops/gather_rows/op.h"

namespace fcm::encoder {

at::Tensor in_raster_order(const at::Tensor& x, const masks::ViewPlan& plan) {
  const int64_t batch = plan.batch(), patches = plan.patches();
  const at::Tensor first_B1 = at::arange(batch, plan.order_BL.options()).view({batch, 1}) * patches;
  const at::Tensor slot_of_patch_BL = plan.order_BL.argsort(/*stable=*/true, /*dim=*/1);
  return ops::gather_rows(x.reshape({batch * patches, -1}), slot_of_patch_BL + first_B1)
      .view(x.sizes());
}

// The cells of a patch are stored with the stride of the last stage outermost: [.., s3, s3, s2, s2,
// C], each stride as rows, then columns. A map has the rows of all strides before the columns.
at::Tensor map_of_stage(const at::Tensor& x_BLPC, masks::Grid grid,
                        const ops::PatchGeometry& geometry, int64_t stage) {
  std::vector<int64_t> shape{x_BLPC.size(0), grid.rows, grid.cols}, rows{1}, cols{2};
  int64_t side = 1;
  for (int64_t later = std::ssize(geometry.strides) - 1; later > stage; --later) {
    const int64_t stride = geometry.strides[static_cast<size_t>(later)];
    side *= stride;
    rows.push_back(std::ssize(shape));
    cols.push_back(std::ssize(shape) + 1);
    shape.insert(shape.end(), {stride, stride});
  }
  std::vector<int64_t> order{0};
  order.insert(order.end(), rows.begin(), rows.end());
  order.insert(order.end(), cols.begin(), cols.end());
  order.push_back(std::ssize(shape));
  shape.push_back(x_BLPC.size(3));
  return x_BLPC.reshape(shape).permute(order).reshape(
      {x_BLPC.size(0), grid.rows * side, grid.cols * side, x_BLPC.size(3)});
}

}  // namespace fcm::encoder
