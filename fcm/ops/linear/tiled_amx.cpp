#include "fcm/ops/linear/tiled_amx.inc"

namespace fcm::ops {

const TiledKernels tiled_amx = kTiledKernels;

}  // namespace fcm::ops
