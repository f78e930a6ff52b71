#include "fcm/ops/attention/passes.h"

#include <ATen/ATen.h>

#include "fcm/ops/attention/cuda.h"
#include "fcm/ops/attention/kernel.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/part.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

// Our own kernels keep the operands of one head in the caches; larger sizes do not fit.
constexpr int64_t kLongestSequence = 512;
constexpr int64_t kWidestHead = 128;

const AttentionKernels& kernels(Isa isa) {
  return pick(isa, attention_plain, attention_avx2, attention_avx512, attention_amx);
}

AttentionShape shape_of(const at::Tensor& qkv_NTD, int64_t heads, int64_t first) {
  return {qkv_NTD.size(1), first, heads, qkv_NTD.size(2) / (3 * heads)};
}

// A block of pairs per thread: at least some 100 thousand multiplications.
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
                  const at::Tensor& dqkv, const at::Tensor& out) {
  AttentionBackward<T, A> all;
  all.shape = shape;
  all.qkv = static_cast<const T*>(qkv.const_data_ptr());
  all.dout = static_cast<const T*>(dout.const_data_ptr());
  all.statistics = statistics.const_data_ptr<A>();
  all.dqkv = static_cast<T*>(dqkv.data_ptr());
  all.out = out.defined() ? static_cast<T*>(out.data_ptr()) : nullptr;
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

bool on_gpu(const at::Tensor& qkv_NTD, int64_t head_dim) {
  return on_cuda(qkv_NTD) && qkv_NTD.scalar_type() == at::kBFloat16 &&
         attention_cuda_takes(head_dim);
}

// The kernels read rows 16 bytes at a time.
at::Tensor aligned(const at::Tensor& x) {
  return reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0 ? x : x.clone();
}

template <class T>
T* pointer_to(const at::Tensor& x) {
  return x.defined() ? static_cast<T*>(x.data_ptr()) : nullptr;
}

Attended forward_on_gpu(const at::Tensor& qkv_NTD, const AttentionShape& shape,
                        const Attended& result) {
  const at::Tensor qkv = aligned(qkv_NTD);
  attention_forward_cuda(
      {shape, 0, qkv.size(0) * shape.heads, pointer_to<Bfloat16>(qkv),
       pointer_to<Bfloat16>(result.out_NTC), pointer_to<float>(result.statistics_NhT2), nullptr},
      cuda_stream_for(qkv));
  return result;
}

AttentionGradients backward_on_gpu(const at::Tensor& dout_NTC, const at::Tensor& qkv_NTD,
                                   const at::Tensor& statistics_NhT2, const AttentionShape& shape,
                                   const AttentionGradients& result) {
  const at::Tensor qkv = aligned(qkv_NTD), dout = aligned(dout_NTC);
  const at::Tensor products =
      at::empty({qkv.size(0), shape.heads, shape.tokens - shape.first}, statistics_NhT2.options());
  attention_backward_cuda(
      {shape, 0, qkv.size(0) * shape.heads, pointer_to<Bfloat16>(qkv), pointer_to<Bfloat16>(dout),
       pointer_to<float>(statistics_NhT2), pointer_to<Bfloat16>(result.dqkv_NTD),
       pointer_to<Bfloat16>(result.out_NTC), nullptr},
      pointer_to<float>(products), cuda_stream_for(qkv));
  return result;
}

// Operations of one product of all scores with a matrix of head_dim columns.
double products_of(const at::Tensor& qkv_NTD, int64_t first) {
  const auto asking = static_cast<double>(qkv_NTD.size(1) - first);
  return 2.0 * static_cast<double>(qkv_NTD.numel() / 3) * asking;
}

}  // namespace

bool attention_fits(const at::Tensor& x_NTD, int64_t head_dim) {
  if (on_gpu(x_NTD, head_dim)) return true;
  return x_NTD.is_cpu() && x_NTD.size(1) <= kLongestSequence && head_dim <= kWidestHead;
}

Attended attention_forward(Isa isa, const at::Tensor& qkv_NTD, int64_t heads, int64_t first) {
  const Part timed("attention", 2 * products_of(qkv_NTD, first), 0);
  const AttentionShape shape = shape_of(qkv_NTD, heads, first);
  const auto type = qkv_NTD.scalar_type();
  const int64_t sequences = qkv_NTD.size(0);
  const auto wide = qkv_NTD.options().dtype(type == at::kDouble ? at::kDouble : at::kFloat);
  const Attended result{
      at::empty({sequences, shape.tokens - first, qkv_NTD.size(2) / 3}, qkv_NTD.options()),
      at::empty({sequences, heads, shape.tokens - first, 2}, wide)};
  if (on_gpu(qkv_NTD, shape.head_dim)) return forward_on_gpu(qkv_NTD, shape, result);
  const AttentionKernels& k = kernels(isa);
  if (type == at::kFloat) {
    run_forward(k.forward_scratch, k.forward_float, shape, qkv_NTD, result.out_NTC,
                result.statistics_NhT2);
  } else if (type == at::kBFloat16) {
    run_forward(k.forward_scratch, k.forward_bfloat16, shape, qkv_NTD, result.out_NTC,
                result.statistics_NhT2);
  } else {
    run_forward(k.forward_scratch, k.forward_double, shape, qkv_NTD, result.out_NTC,
                result.statistics_NhT2);
  }
  return result;
}

AttentionGradients attention_backward(Isa isa, const at::Tensor& dout_NTC,
                                      const at::Tensor& qkv_NTD, const at::Tensor& statistics_NhT2,
                                      int64_t heads, bool out_again, int64_t first) {
  const Part timed("attention gradient", (out_again ? 6 : 5) * products_of(qkv_NTD, first), 0);
  const AttentionShape shape = shape_of(qkv_NTD, heads, first);
  const AttentionGradients result{at::empty_like(qkv_NTD),
                                  out_again ? at::empty_like(dout_NTC) : at::Tensor()};
  if (on_gpu(qkv_NTD, shape.head_dim)) {
    return backward_on_gpu(dout_NTC, qkv_NTD, statistics_NhT2, shape, result);
  }
  const AttentionKernels& k = kernels(isa);
  if (qkv_NTD.scalar_type() == at::kFloat) {
    run_backward(k.backward_scratch, k.backward_float, shape, qkv_NTD, dout_NTC, statistics_NhT2,
                 result.dqkv_NTD, result.out_NTC);
  } else if (qkv_NTD.scalar_type() == at::kBFloat16) {
    run_backward(k.backward_scratch, k.backward_bfloat16, shape, qkv_NTD, dout_NTC, statistics_NhT2,
                 result.dqkv_NTD, result.out_NTC);
  } else {
    run_backward(k.backward_scratch, k.backward_double, shape, qkv_NTD, dout_NTC, statistics_NhT2,
                 result.dqkv_NTD, result.out_NTC);
  }
  return result;
}

}  // namespace fcm::ops
