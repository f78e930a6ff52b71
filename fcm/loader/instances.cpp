#include "fcm/loader/instances.h"

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/image/mask_target.h"
#include "fcm/image/polygon_raster.h"

namespace fcm::loader {

int64_t InstanceClasses::class_of(int64_t id) const {
  const auto found = std::ranges::lower_bound(ids, id);
  return found == ids.end() || *found != id ? -1 : found - ids.begin();
}

image::RunLengths mask_of(const Instance& instance, int64_t rows, int64_t cols) {
  if (!instance.mask) return image::raster_polygons(instance.outlines, rows, cols);
  if (instance.mask->rows != rows || instance.mask->cols != cols) {
    fail(ExitCode::kData, "the mask of annotation {} has {}x{} pixels, its image {}x{}",
         instance.annotation, instance.mask->cols, instance.mask->rows, cols, rows);
  }
  return *instance.mask;
}

std::vector<uint8_t> mask_target_of(const Instance& instance, const std::array<float, 4>& box,
                                    int64_t side) {
  return instance.mask ? image::mask_target(*instance.mask, box, side)
                       : image::mask_target(instance.outlines, box, side);
}

}  // namespace fcm::loader
