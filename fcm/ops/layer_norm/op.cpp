#include "fcm/ops/layer_norm/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/layer_norm/kernel.h"
#include "fcm/ops/layer_norm/with_isa.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kElementsPerBlock = 16384;  // below this a thread costs more than it saves

Blocks rows_in_blocks(int64_t rows, int64_t channels) {
  return make_blocks(rows, std::max<int64_t>(1, kElementsPerBlock / channels));
}

// T: element, A: type of statistics and parameters. All tensors contiguous.
template <class T, class A>
void run_forward(void (*kernel)(const LayerNormForward<T, A>&), const at::Tensor& x,
                 const at::Tensor& weight, const at::Tensor& bias, double epsilon,
                 const at::Tensor& y, const at::Tensor& statistics) {
  const int64_t channels = x.size(-1), rows = x.numel() / channels;
  LayerNormForward<T, A> all;
  all.channels = channels;
  all.epsilon = static_cast<A>(epsilon);
  all.x = static_cast<const T*>(x.const_data_ptr());
  all.weight = weight.const_data_ptr<A>();
  all.bias = bias.const_data_ptr<A>();
  all.y = static_cast<T*>(y.data_ptr());
  all.mean = statistics.data_ptr<A>();
  all.deviation = all.mean + rows;
  const Blocks blocks = rows_in_blocks(rows, channels);
  for_each_block(blocks, [&](int64_t block) {
    LayerNormForward<T, A> part = all;
    const int64_t first = blocks.begin(block);
    part.rows = blocks.size(block);
    part.x += first * channels;
    part.y += first * channels;
    part.mean += first;
    part.deviation += first;
    kernel(part);
  });
}

// Returns the sums over blocks [2, C]: gradients of weight and bias.
template <class T, class A>
at::Tensor run_backward(void (*kernel)(const LayerNormBackward<T, A>&), const at::Tensor& dy,
                        const at::Tensor& x, const at::Tensor& weight, const at::Tensor& statistics,
                        const at::Tensor& dx) {
  const int64_t channels = x.size(-1), rows = x.numel() / channels;
  const Blocks blocks = rows_in_blocks(rows, channels);
  const at::Tensor partial = at::empty({blocks.count(), 2, channels}, weight.options());
  LayerNormBackward<T, A> all;
  all.channels = channels;
  all.dy = static_cast<const T*>(dy.const_data_ptr());
  all.x = static_cast<const T*>(x.const_data_ptr());
  all.weight = weight.const_data_ptr<A>();
  all.mean = statistics.const_data_ptr<A>();
  all.deviation = all.mean + rows;
  all.dx = static_cast<T*>(dx.data_ptr());
  all.dweight = partial.data_ptr<A>();
  all.dbias = all.dweight + channels;
  for_each_block(blocks, [&](int64_t block) {
    LayerNormBackward<T, A> part = all;
    const int64_t first = blocks.begin(block);
    part.rows = blocks.size(block);
    part.dy += first * channels;
    part.x += first * channels;
    part.mean += first;
    part.deviation += first;
    part.dx += first * channels;
    part.dweight += block * 2 * channels;
    part.dbias += block * 2 * channels;
    kernel(part);
  });
  return partial.sum(0);
}

const LayerNormKernels& kernels(int64_t isa) {
  return pick(static_cast<Isa>(isa), layer_norm_plain, layer_norm_avx2, layer_norm_avx512);
}

class LayerNormFunction : public torch::autograd::Function<LayerNormFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight_C, const at::Tensor& bias_C, double epsilon,
                            int64_t isa) {
    const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const at::Tensor rows = x.contiguous();
    const at::Tensor weight = weight_C.to(wide).contiguous(), bias = bias_C.to(wide).contiguous();
    const at::Tensor y = at::empty_like(rows);
    const int64_t count = rows.numel() / rows.size(-1);
    const at::Tensor statistics = at::empty({2, count}, weight.options());
    const LayerNormKernels& k = kernels(isa);
    if (x.scalar_type() == at::kFloat) {
      run_forward(k.forward_float, rows, weight, bias, epsilon, y, statistics);
    } else if (x.scalar_type() == at::kBFloat16) {
      run_forward(k.forward_bfloat16, rows, weight, bias, epsilon, y, statistics);
    } else {
      run_forward(k.forward_double, rows, weight, bias, epsilon, y, statistics);
    }
    context->save_for_backward({rows, weight_C, statistics});
    context->saved_data["isa"] = isa;
    context->saved_data["bias_type"] = static_cast<int64_t>(bias_C.scalar_type());
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& statistics = saved[2];
    const at::Tensor weight = saved[1].to(statistics.scalar_type()).contiguous();
    const at::Tensor dy = gradients[0].contiguous();
    const at::Tensor dx = at::empty_like(x);
    const LayerNormKernels& k = kernels(context->saved_data["isa"].toInt());
    at::Tensor sums;
    if (x.scalar_type() == at::kFloat) {
      sums = run_backward(k.backward_float, dy, x, weight, statistics, dx);
    } else if (x.scalar_type() == at::kBFloat16) {
      sums = run_backward(k.backward_bfloat16, dy, x, weight, statistics, dx);
    } else {
      sums = run_backward(k.backward_double, dy, x, weight, statistics, dx);
    }
    const auto bias_type = static_cast<at::ScalarType>(context->saved_data["bias_type"].toInt());
    return {dx, sums.select(0, 0).to(saved[1].scalar_type()), sums.select(0, 1).to(bias_type),
            at::Tensor(), at::Tensor()};
  }
};

void check(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C) {
  require(x.dim() >= 1 && x.size(-1) > 0, "layer_norm wants rows of at least one element");
  const auto type = x.scalar_type();
  require(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble,
          "layer_norm takes float32, bfloat16 or float64, not {}", at::toString(type));
  require(weight_C.dim() == 1 && weight_C.size(0) == x.size(-1) && bias_C.dim() == 1 &&
              bias_C.size(0) == x.size(-1),
          "layer_norm over {} channels got a weight of {} and a bias of {} elements", x.size(-1),
          weight_C.numel(), bias_C.numel());
}

}  // namespace

at::Tensor layer_norm_with(Isa isa, const at::Tensor& x, const at::Tensor& weight_C,
                           const at::Tensor& bias_C, double epsilon) {
  check(x, weight_C, bias_C);
  if (x.numel() == 0) return layer_norm_reference(x, weight_C, bias_C, epsilon);
  return LayerNormFunction::apply(x, weight_C, bias_C, epsilon, static_cast<int64_t>(isa));
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      double epsilon) {
  return layer_norm_with(isa(), x, weight_C, bias_C, epsilon);
}

}  // namespace fcm::ops
