#include "fcm/heads/map_sizes.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"

namespace fcm::heads {

at::Tensor halved_by_maximum(const at::Tensor& map_BHWC) {
  return at::max_pool2d(map_BHWC.permute({0, 3, 1, 2}), {2, 2}, {2, 2})
      .permute({0, 2, 3, 1})
      .contiguous();
}

at::Tensor every_second(const at::Tensor& map_BHWC) {
  return map_BHWC.slice(1, 0, map_BHWC.size(1), 2).slice(2, 0, map_BHWC.size(2), 2).contiguous();
}

at::Tensor plus_upsampled(const at::Tensor& fine_BHWC, const at::Tensor& coarse_BhwC) {
  const int64_t batch = coarse_BhwC.size(0), rows = coarse_BhwC.size(1),
                columns = coarse_BhwC.size(2), channels = coarse_BhwC.size(3);
  require(fine_BHWC.size(1) == 2 * rows && fine_BHWC.size(2) == 2 * columns,
          "expected a fine map twice the size of the coarse one, got {} x {} and {} x {}",
          fine_BHWC.size(1), fine_BHWC.size(2), rows, columns);
  return (fine_BHWC.reshape({batch, rows, 2, columns, 2, channels}) +
          coarse_BhwC.reshape({batch, rows, 1, columns, 1, channels}))
      .view(fine_BHWC.sizes());
}

}  // namespace fcm::heads
