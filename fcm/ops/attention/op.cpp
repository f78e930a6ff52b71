#include "fcm/ops/attention/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/attention/kernel.h"
#include "fcm/ops/attention/with_isa.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Own kernels keep the operands of one head in the caches; beyond these sizes they no longer fit.
constexpr int64_t kLongestSequence = 512;
constexpr int64_t kWidestHead = 128;

const AttentionKernels& kernels(int64_t isa) {
  return pick(static_cast<Isa>(isa), attention_plain, attention_avx2, attention_avx512);
}

AttentionShape shape_of(const at::Tensor& qkv_NTD, int64_t heads) {
  return {qkv_NTD.size(1), heads, qkv_NTD.size(2) / (3 * heads)};
}

// A block of pairs is worth a thread from some 100 thousand multiplications on.
Blocks pairs_in_blocks(int64_t sequences, const AttentionShape& shape) {
  const int64_t products = shape.tokens * shape.tokens * shape.head_dim;
  return make_blocks(sequences * shape.heads, std::max<int64_t>(1, 100000 / products));
}

template <class T, class A>
void run_forward(int64_t (*scratch_size)(const AttentionShape&),
                 void (*kernel)(const AttentionForward<T, A>&), const AttentionShape& shape,
                 const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& statistics) {
  AttentionForward<T, A> all;
  all.shape = shape;
  all.qkv = static_cast<const T*>(qkv.const_data_ptr());
  all.out = static_cast<T*>(out.data_ptr());
  all.statistics = statistics.data_ptr<A>();
  const Blocks blocks = pairs_in_blocks(qkv.size(0), shape);
  for_each_block(blocks, [&](int64_t block) {
    AttentionForward<T, A> part = all;
    const at::Tensor scratch = at::empty({scratch_size(shape)}, statistics.options());
    part.scratch = scratch.data_ptr<A>();
    part.begin = blocks.begin(block);
    part.end = part.begin + blocks.size(block);
    kernel(part);
  });
}

template <class T, class A>
void run_backward(int64_t (*scratch_size)(const AttentionShape&),
                  void (*kernel)(const AttentionBackward<T, A>&), const AttentionShape& shape,
                  const at::Tensor& qkv, const at::Tensor& dout, const at::Tensor& statistics,
                  const at::Tensor& dqkv) {
  AttentionBackward<T, A> all;
  all.shape = shape;
  all.qkv = static_cast<const T*>(qkv.const_data_ptr());
  all.dout = static_cast<const T*>(dout.const_data_ptr());
  all.statistics = statistics.const_data_ptr<A>();
  all.dqkv = static_cast<T*>(dqkv.data_ptr());
  const Blocks blocks = pairs_in_blocks(qkv.size(0), shape);
  for_each_block(blocks, [&](int64_t block) {
    AttentionBackward<T, A> part = all;
    const at::Tensor scratch = at::empty({scratch_size(shape)}, statistics.options());
    part.scratch = scratch.data_ptr<A>();
    part.begin = blocks.begin(block);
    part.end = part.begin + blocks.size(block);
    kernel(part);
  });
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv_NTD, int64_t heads,
                            int64_t isa) {
    const at::Tensor qkv = qkv_NTD.contiguous();
    const AttentionShape shape = shape_of(qkv, heads);
    const auto type = qkv.scalar_type();
    const at::Tensor out = at::empty({qkv.size(0), qkv.size(1), qkv.size(2) / 3}, qkv.options());
    const at::Tensor statistics =
        at::empty({qkv.size(0), heads, qkv.size(1), 2},
                  qkv.options().dtype(type == at::kDouble ? at::kDouble : at::kFloat));
    const AttentionKernels& k = kernels(isa);
    if (type == at::kFloat) {
      run_forward(k.forward_scratch, k.forward_float, shape, qkv, out, statistics);
    } else if (type == at::kBFloat16) {
      run_forward(k.forward_scratch, k.forward_bfloat16, shape, qkv, out, statistics);
    } else {
      run_forward(k.forward_scratch, k.forward_double, shape, qkv, out, statistics);
    }
    context->save_for_backward({qkv, statistics});
    context->saved_data["heads"] = heads;
    context->saved_data["isa"] = isa;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &qkv = saved[0], statistics = saved[1];
    const at::Tensor dout = gradients[0].contiguous();
    const at::Tensor dqkv = at::empty_like(qkv);
    const AttentionShape shape = shape_of(qkv, context->saved_data["heads"].toInt());
    const AttentionKernels& k = kernels(context->saved_data["isa"].toInt());
    if (qkv.scalar_type() == at::kFloat) {
      run_backward(k.backward_scratch, k.backward_float, shape, qkv, dout, statistics, dqkv);
    } else if (qkv.scalar_type() == at::kBFloat16) {
      run_backward(k.backward_scratch, k.backward_bfloat16, shape, qkv, dout, statistics, dqkv);
    } else {
      run_backward(k.backward_scratch, k.backward_double, shape, qkv, dout, statistics, dqkv);
    }
    return {dqkv, at::Tensor(), at::Tensor()};
  }
};

void check(const at::Tensor& qkv_NTD, int64_t heads) {
  const auto type = qkv_NTD.scalar_type();
  require(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble,
          "attention takes float32, bfloat16 or float64, not {}", at::toString(type));
  require(
      qkv_NTD.dim() == 3 && heads > 0 && qkv_NTD.size(2) % (3 * heads) == 0,
      "attention wants [N, T, 3 * C] with C a multiple of {} heads, got {} dimensions, the last "
      "of {}",
      heads, qkv_NTD.dim(), qkv_NTD.size(-1));
}

}  // namespace

at::Tensor attention_library(const at::Tensor& qkv_NTD, int64_t heads) {
  const int64_t n = qkv_NTD.size(0), t = qkv_NTD.size(1), c = qkv_NTD.size(2) / 3;
  const at::Tensor split = qkv_NTD.reshape({n, t, 3, heads, c / heads}).permute({2, 0, 3, 1, 4});
  const at::Tensor out_NHTd =
      at::scaled_dot_product_attention(split.select(0, 0), split.select(0, 1), split.select(0, 2));
  return out_NHTd.transpose(1, 2).reshape({n, t, c});
}

at::Tensor attention_with(Isa isa, const at::Tensor& qkv_NTD, int64_t heads) {
  check(qkv_NTD, heads);
  if (qkv_NTD.numel() == 0) return qkv_NTD.narrow(2, 0, qkv_NTD.size(2) / 3) + 0;
  return AttentionFunction::apply(qkv_NTD, heads, static_cast<int64_t>(isa));
}

at::Tensor attention(const at::Tensor& qkv_NTD, int64_t heads) {
  check(qkv_NTD, heads);
  const AttentionShape shape = shape_of(qkv_NTD, heads);
  if (shape.tokens > kLongestSequence || shape.head_dim > kWidestHead) {
    return attention_library(qkv_NTD, heads);
  }
  return attention_with(isa(), qkv_NTD, heads);
}

}  // namespace fcm::ops
