#include "fcm/ops/gelu/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/gelu/kernel.h"
#include "fcm/ops/gelu/with_isa.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kElementsPerBlock = 16384;

const GeluKernels& kernels(int64_t isa) {
  return pick(static_cast<Isa>(isa), gelu_plain, gelu_avx2, gelu_avx512);
}

template <class T>
void run_forward(void (*kernel)(const T*, T*, int64_t), const at::Tensor& x, const at::Tensor& y) {
  const T* from = static_cast<const T*>(x.const_data_ptr());
  T* to = static_cast<T*>(y.data_ptr());
  const Blocks blocks = make_blocks(x.numel(), kElementsPerBlock);
  for_each_block(blocks, [&](int64_t block) {
    const int64_t first = blocks.begin(block);
    kernel(from + first, to + first, blocks.size(block));
  });
}

template <class T>
void run_backward(void (*kernel)(const T*, const T*, T*, int64_t), const at::Tensor& dy,
                  const at::Tensor& x, const at::Tensor& dx) {
  const T* gradient = static_cast<const T*>(dy.const_data_ptr());
  const T* from = static_cast<const T*>(x.const_data_ptr());
  T* to = static_cast<T*>(dx.data_ptr());
  const Blocks blocks = make_blocks(x.numel(), kElementsPerBlock);
  for_each_block(blocks, [&](int64_t block) {
    const int64_t first = blocks.begin(block);
    kernel(gradient + first, from + first, to + first, blocks.size(block));
  });
}

class GeluFunction : public torch::autograd::Function<GeluFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, int64_t isa) {
    const at::Tensor from = x.contiguous();
    const at::Tensor y = at::empty_like(from);
    const GeluKernels& k = kernels(isa);
    if (x.scalar_type() == at::kFloat) {
      run_forward(k.forward_float, from, y);
    } else if (x.scalar_type() == at::kBFloat16) {
      run_forward(k.forward_bfloat16, from, y);
    } else {
      run_forward(k.forward_double, from, y);
    }
    context->save_for_backward({from});
    context->saved_data["isa"] = isa;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor dy = gradients[0].contiguous();
    const at::Tensor dx = at::empty_like(x);
    const GeluKernels& k = kernels(context->saved_data["isa"].toInt());
    if (x.scalar_type() == at::kFloat) {
      run_backward(k.backward_float, dy, x, dx);
    } else if (x.scalar_type() == at::kBFloat16) {
      run_backward(k.backward_bfloat16, dy, x, dx);
    } else {
      run_backward(k.backward_double, dy, x, dx);
    }
    return {dx, at::Tensor()};
  }
};

}  // namespace

at::Tensor gelu_with(Isa isa, const at::Tensor& x) {
  const auto type = x.scalar_type();
  require(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble,
          "gelu takes float32, bfloat16 or float64, not {}", at::toString(type));
  if (x.numel() == 0) return x + 0;
  return GeluFunction::apply(x, static_cast<int64_t>(isa));
}

at::Tensor gelu(const at::Tensor& x) { return gelu_with(isa(), x); }

}  // namespace fcm::ops
