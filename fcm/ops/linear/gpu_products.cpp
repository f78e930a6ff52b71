#include "fcm/ops/linear/gpu_products.h"

#include <ATen/ATen.h>

#include "fcm/ops/cuda/place.h"
#include "fcm/ops/linear/gemm.h"

namespace fcm::ops {
namespace {

StridedMatrix matrix_of(const at::Tensor& x) {
  return {x.size(0), x.size(1), x.stride(0), x.stride(1)};
}

std::optional<GemmType> type_of(at::ScalarType type) {
  if (type == at::kFloat) return GemmType::kFloat32;
  if (type == at::kBFloat16) return GemmType::kBfloat16;
  return std::nullopt;
}

// The set of algorithms depends on the assumed alignment, so all products assume 16 bytes.
bool aligned_for_gemm(const at::Tensor& x, int64_t leading) {
  const auto bytes = static_cast<int64_t>(x.element_size());
  return reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0 && leading * bytes % 16 == 0;
}

const void* pointer_of(const at::Tensor& x) { return x.defined() ? x.const_data_ptr() : nullptr; }

}  // namespace

std::optional<at::Tensor> gpu_product(const at::Tensor& x_MK, const at::Tensor& b_KN,
                                      const at::Tensor& bias_N, const at::Tensor& c_MN,
                                      at::ScalarType out) {
  const auto in_type = type_of(x_MK.scalar_type()), out_type = type_of(out);
  if (!on_cuda(x_MK) || !in_type || !out_type) return std::nullopt;
  std::optional<Gemm> gemm = gemm_of(matrix_of(x_MK), matrix_of(b_KN));
  if (!gemm) return std::nullopt;
  gemm->in = *in_type;
  gemm->out = *out_type;
  gemm->bias = bias_N.defined();
  gemm->onto = c_MN.defined();
  const at::Tensor y_MN = at::empty({x_MK.size(0), b_KN.size(1)}, x_MK.options().dtype(out));
  const bool aligned =
      aligned_for_gemm(b_KN, gemm->a.leading) && aligned_for_gemm(x_MK, gemm->b.leading) &&
      aligned_for_gemm(y_MN, gemm->d.leading) && (!gemm->bias || aligned_for_gemm(bias_N, 0)) &&
      (!gemm->onto || aligned_for_gemm(c_MN, 0));
  if (!aligned) return std::nullopt;
  const GemmPointers pointers{b_KN.const_data_ptr(), x_MK.const_data_ptr(), pointer_of(bias_N),
                              pointer_of(c_MN), y_MN.data_ptr()};
  if (!run_gemm(*gemm, pointers, cuda_stream_for(x_MK))) return std::nullopt;
  return y_MN;
}

}  // namespace fcm::ops
