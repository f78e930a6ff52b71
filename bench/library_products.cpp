#include "bench/library_products.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <dlfcn.h>

#include "fcm/base/error.h"
#include "fcm/ops/linear/gemm.h"

namespace fcm::bench {
namespace {

// OpenBLAS is loaded if the system has it; the rest of the program does not use it.
using Sgemm = void (*)(const char* transpose_a, const char* transpose_b, const int* rows,
                       const int* columns, const int* depth, const float* alpha, const float* a,
                       const int* a_leading, const float* b, const int* b_leading,
                       const float* beta, float* c, const int* c_leading);

Sgemm find_openblas() {
  void* const library = ::dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  return library == nullptr ? nullptr : reinterpret_cast<Sgemm>(::dlsym(library, "sgemm_"));
}

at::Tensor by_openblas(Sgemm sgemm, const at::Tensor& left_MK, const at::Tensor& right_KN) {
  const auto strided = [](const at::Tensor& x) {
    return ops::StridedMatrix{x.size(0), x.size(1), x.stride(0), x.stride(1)};
  };
  const auto gemm = ops::gemm_of(strided(left_MK), strided(right_KN));
  require(gemm.has_value(), "by_openblas: expected matrices with a stride of 1");
  const at::Tensor product_MN = at::empty({left_MK.size(0), right_KN.size(1)}, left_MK.options());
  const auto letter = [](bool transpose) { return transpose ? "T" : "N"; };
  const auto rows = static_cast<int>(gemm->d.rows), columns = static_cast<int>(gemm->d.columns);
  const auto depth = static_cast<int>(left_MK.size(1));
  const auto a = static_cast<int>(gemm->a.leading), b = static_cast<int>(gemm->b.leading);
  const auto c = static_cast<int>(gemm->d.leading);
  const float one = 1, none = 0;
  sgemm(letter(gemm->transpose_a), letter(gemm->transpose_b), &rows, &columns, &depth, &one,
        right_KN.const_data_ptr<float>(), &a, left_MK.const_data_ptr<float>(), &b, &none,
        product_MN.data_ptr<float>(), &c);
  return product_MN;
}

// LibTorch's own linear uses oneDNN for bfloat16 only; this operator uses it for any dtype.
constexpr const char* kLinearOfOneDnn = "mkldnn::_linear_pointwise";

at::Tensor by_onednn(const at::Tensor& left_MK, const at::Tensor& right_KN) {
  static const c10::OperatorHandle linear =
      c10::Dispatcher::singleton().findSchemaOrThrow(kLinearOfOneDnn, "");
  c10::Stack stack;
  const auto add = [&](auto&&... value) { stack.emplace_back(value...); };
  add(left_MK);
  add(right_KN.t());
  add();  // no bias
  add(std::string("none"));
  add(c10::List<std::optional<at::Scalar>>());
  add();
  linear.callBoxed(&stack);
  return stack.front().toTensor();
}

bool has_onednn() {
  return at::hasMKLDNN() && c10::Dispatcher::singleton().findSchema({kLinearOfOneDnn, ""});
}

}  // namespace

std::vector<LibraryProduct> library_products(at::ScalarType type) {
  std::vector<LibraryProduct> libraries;
  if (type == at::kFloat && at::hasMKL()) {
    libraries.push_back({"mkl", [](const at::Tensor& left_MK, const at::Tensor& right_KN) {
                           return at::mm(left_MK, right_KN);
                         }});
  }
  if (has_onednn()) libraries.push_back({"onednn", by_onednn});
  if (const Sgemm sgemm = type == at::kFloat ? find_openblas() : nullptr) {
    libraries.push_back({"openblas", [=](const at::Tensor& left_MK, const at::Tensor& right_KN) {
                           return by_openblas(sgemm, left_MK, right_KN);
                         }});
  }
  return libraries;
}

}  // namespace fcm::bench
