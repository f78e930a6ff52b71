#include "fcm/ops/cuda/device.h"
#include "fcm/ops/cuda/graph.h"

namespace fcm::ops {

std::unique_ptr<RecordedWork> make_cuda_graph() { absent_from_this_build(); }

}  // namespace fcm::ops
