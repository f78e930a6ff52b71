#include "fcm/ops/cuda/device.h"
#include "fcm/ops/gelu/cuda.h"

namespace fcm::ops {

void gelu_forward_cuda(const float*, float*, int64_t, CudaStream) { absent_from_this_build(); }
void gelu_forward_cuda(const Bfloat16*, Bfloat16*, int64_t, CudaStream) {
  absent_from_this_build();
}
void gelu_forward_cuda(const double*, double*, int64_t, CudaStream) { absent_from_this_build(); }
void gelu_backward_cuda(const GeluBackwardAgain<float>&, CudaStream) { absent_from_this_build(); }
void gelu_backward_cuda(const GeluBackwardAgain<Bfloat16>&, CudaStream) {
  absent_from_this_build();
}
void gelu_backward_cuda(const GeluBackwardAgain<double>&, CudaStream) { absent_from_this_build(); }
void gelu_backward_again_cuda(const GeluBackwardAgain<float>&, int64_t, float*, float*,
                              CudaStream) {
  absent_from_this_build();
}
void gelu_backward_again_cuda(const GeluBackwardAgain<Bfloat16>&, int64_t, float*, float*,
                              CudaStream) {
  absent_from_this_build();
}
void gelu_backward_again_cuda(const GeluBackwardAgain<double>&, int64_t, double*, double*,
                              CudaStream) {
  absent_from_this_build();
}
void gelu_of_product_cuda(const GeluOfProduct<float, float>&, CudaStream) {
  absent_from_this_build();
}
void gelu_of_product_cuda(const GeluOfProduct<Bfloat16, float>&, CudaStream) {
  absent_from_this_build();
}
void gelu_of_product_cuda(const GeluOfProduct<double, double>&, CudaStream) {
  absent_from_this_build();
}

}  // namespace fcm::ops
