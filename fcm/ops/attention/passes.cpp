#include "fcm/ops/attention/passes.h"

#include <ATen/ATen.h>

#include "fcm/ops/attention/cuda.h"
#include "fcm/ops/attention/kernel.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

// Limits of our own kernels, which keep the operands of one head in the caches.
constexpr int64_t kLongestSequence = 512;
constexpr int64_t kWidestHead = 128;

const AttentionKernels& kernels(Isa isa) {
  return pick(isa, attention_plain, attention_avx2, attention_avx512, attention_amx);
}

// Rows of heads inside a tensor [N, tokens, width]: of each token from `first_token` on, the
// elements from `column` on. An undefined tensor has no rows.
struct HeadsView {
  const at::Tensor* of = nullptr;
  int64_t column = 0, first_token = 0;
};

template <class T>
AttentionRows<T> rows_at(const HeadsView& heads) {
  if (!heads.of->defined()) return {};
  const int64_t width = heads.of->size(2);
  auto* begin = static_cast<T*>(const_cast<void*>(heads.of->const_data_ptr()));
  return {begin + heads.first_token * width + heads.column, heads.of->size(1) * width, width};
}

// The tensors that a pass reads, and those that it writes.
struct AttentionInputs {
  AttentionShape shape;
  HeadsView q, k, v, dout;
  int64_t sequences() const { return q.of->size(0); }
};
struct AttentionOutputs {
  HeadsView dq, dk, dv, out;
};

// Blocks of pairs for threads: about 100,000 multiplications each, or one pair.
Blocks pairs_in_blocks(const AttentionInputs& in) {
  const int64_t products = in.shape.queries * in.shape.keys * in.shape.head_dim;
  return make_blocks(in.sequences() * in.shape.heads, std::max<int64_t>(1, 100000 / products));
}

// Calls `kernel` for every block of pairs, with its own scratch memory.
template <class A, class Pass>
void in_parallel(const Pass& all, const AttentionInputs& in, int64_t scratch_size,
                 const at::Tensor& statistics, void (*kernel)(const Pass&)) {
  const Blocks blocks = pairs_in_blocks(in);
  for_each_block(blocks, [&](int64_t block) {
    Pass part = all;
    const at::Tensor scratch = at::empty({scratch_size}, statistics.options());
    part.scratch = scratch.data_ptr<A>();
    part.begin = blocks.begin(block);
    part.end = part.begin + blocks.size(block);
    kernel(part);
  });
}

template <class T, class A>
AttentionForward<T, A> forward_pass(const AttentionInputs& in, const AttentionOutputs& outputs,
                                    const at::Tensor& statistics) {
  return {in.shape,
          0,
          in.sequences() * in.shape.heads,
          rows_at<const T>(in.q),
          rows_at<const T>(in.k),
          rows_at<const T>(in.v),
          rows_at<T>(outputs.out),
          statistics.data_ptr<A>(),
          nullptr};
}

template <class T, class A>
AttentionBackward<T, A> backward_pass(const AttentionInputs& in, const AttentionOutputs& outputs,
                                      const at::Tensor& statistics) {
  return {in.shape,
          0,
          in.sequences() * in.shape.heads,
          rows_at<const T>(in.q),
          rows_at<const T>(in.k),
          rows_at<const T>(in.v),
          rows_at<const T>(in.dout),
          statistics.const_data_ptr<A>(),
          rows_at<T>(outputs.dq),
          rows_at<T>(outputs.dk),
          rows_at<T>(outputs.dv),
          rows_at<T>(outputs.out),
          nullptr};
}

bool on_gpu(const at::Tensor& x, int64_t head_dim) {
  return on_cuda(x) && x.scalar_type() == at::kBFloat16 && attention_cuda_takes(head_dim);
}

// On a GPU, x or a copy that starts at a multiple of 16 bytes: kernels read 16 bytes at a time.
at::Tensor aligned(const at::Tensor& x) {
  const bool is = reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
  return is || !on_cuda(x) ? x : x.clone();
}

void run_forward(Isa isa, const AttentionInputs& in, const AttentionOutputs& outputs,
                 const at::Tensor& statistics) {
  const at::Tensor& q = *in.q.of;
  if (on_gpu(q, in.shape.head_dim)) {
    return attention_forward_cuda(forward_pass<Bfloat16, float>(in, outputs, statistics),
                                  cuda_stream_for(q));
  }
  const AttentionKernels& k = kernels(isa);
  const int64_t scratch = k.forward_scratch(in.shape);
  if (q.scalar_type() == at::kFloat) {
    in_parallel<float>(forward_pass<float, float>(in, outputs, statistics), in, scratch, statistics,
                       k.forward_float);
  } else if (q.scalar_type() == at::kBFloat16) {
    in_parallel<float>(forward_pass<Bfloat16, float>(in, outputs, statistics), in, scratch,
                       statistics, k.forward_bfloat16);
  } else {
    in_parallel<double>(forward_pass<double, double>(in, outputs, statistics), in, scratch,
                        statistics, k.forward_double);
  }
}

void run_backward(Isa isa, const AttentionInputs& in, const AttentionOutputs& outputs,
                  const at::Tensor& statistics) {
  const at::Tensor& q = *in.q.of;
  if (on_gpu(q, in.shape.head_dim)) {
    const at::Tensor products =
        at::empty({in.sequences(), in.shape.heads, in.shape.queries}, statistics.options());
    return attention_backward_cuda(backward_pass<Bfloat16, float>(in, outputs, statistics),
                                   products.data_ptr<float>(), cuda_stream_for(q));
  }
  const AttentionKernels& k = kernels(isa);
  const int64_t scratch = k.backward_scratch(in.shape);
  if (q.scalar_type() == at::kFloat) {
    in_parallel<float>(backward_pass<float, float>(in, outputs, statistics), in, scratch,
                       statistics, k.backward_float);
  } else if (q.scalar_type() == at::kBFloat16) {
    in_parallel<float>(backward_pass<Bfloat16, float>(in, outputs, statistics), in, scratch,
                       statistics, k.backward_bfloat16);
  } else {
    in_parallel<double>(backward_pass<double, double>(in, outputs, statistics), in, scratch,
                        statistics, k.backward_double);
  }
}

// Operations of one queries x keys x head_dim product, over all sequences and heads.
double products_of(const AttentionInputs& in) {
  return 2.0 * static_cast<double>(in.sequences() * in.shape.heads * in.shape.head_dim) *
         static_cast<double>(in.shape.queries * in.shape.keys);
}

AttentionInputs inputs_of_packed(const at::Tensor& qkv_NTD, int64_t heads, int64_t first) {
  const int64_t tokens = qkv_NTD.size(1), width = qkv_NTD.size(2) / 3;
  return {{tokens - first, tokens, heads, width / heads},
          {&qkv_NTD, 0, first},
          {&qkv_NTD, width},
          {&qkv_NTD, 2 * width},
          {}};
}

AttentionInputs inputs_of_two(const at::Tensor& q_NQC, const at::Tensor& kv_NTD, int64_t heads) {
  const int64_t width = q_NQC.size(2);
  return {{q_NQC.size(1), kv_NTD.size(1), heads, width / heads},
          {&q_NQC},
          {&kv_NTD},
          {&kv_NTD, width},
          {}};
}

Attended attended_by(Isa isa, const AttentionInputs& in) {
  const ProfileScope timed("attention", 2 * products_of(in), 0);
  const at::TensorOptions like = in.q.of->options();
  const auto wide = like.dtype(in.q.of->scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  const AttentionShape& shape = in.shape;
  const Attended result{
      at::empty({in.sequences(), shape.queries, shape.heads * shape.head_dim}, like),
      at::empty({in.sequences(), shape.heads, shape.queries, 2}, wide)};
  run_forward(isa, in, {{}, {}, {}, {&result.out_NTC}}, result.statistics_NhT2);
  return result;
}

}  // namespace

bool attention_fits(const at::Tensor& x_NTD, int64_t head_dim) {
  if (on_gpu(x_NTD, head_dim)) return true;
  return x_NTD.is_cpu() && x_NTD.size(1) <= kLongestSequence && head_dim <= kWidestHead;
}

Attended attention_forward(Isa isa, const at::Tensor& qkv_NTD, int64_t heads, int64_t first) {
  const at::Tensor qkv = aligned(qkv_NTD);
  return attended_by(isa, inputs_of_packed(qkv, heads, first));
}

AttentionGradients attention_backward(Isa isa, const at::Tensor& dout_NTC,
                                      const at::Tensor& qkv_NTD, const at::Tensor& statistics_NhT2,
                                      int64_t heads, bool recompute_out, int64_t first) {
  const at::Tensor qkv = aligned(qkv_NTD), dout = aligned(dout_NTC);
  AttentionInputs in = inputs_of_packed(qkv, heads, first);
  in.dout = {&dout};
  const ProfileScope timed("attention gradient", (recompute_out ? 6 : 5) * products_of(in), 0);
  const AttentionGradients result{at::empty_like(qkv_NTD),
                                  recompute_out ? at::empty_like(dout_NTC) : at::Tensor()};
  const at::Tensor& dqkv = result.dqkv_NTD;
  const int64_t width = dqkv.size(2) / 3;
  // Tokens before `first` are not used as queries, so the gradient of their q is 0.
  if (first > 0) dqkv.narrow(1, 0, first).narrow(2, 0, width).zero_();
  run_backward(isa, in, {{&dqkv, 0, first}, {&dqkv, width}, {&dqkv, 2 * width}, {&result.out_NTC}},
               statistics_NhT2);
  return result;
}

Attended cross_attention_forward(Isa isa, const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                 int64_t heads) {
  const at::Tensor q = aligned(q_NQC), kv = aligned(kv_NTD);
  return attended_by(isa, inputs_of_two(q, kv, heads));
}

CrossAttentionGradients cross_attention_backward(Isa isa, const at::Tensor& dout_NQC,
                                                 const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                                 const at::Tensor& statistics_NhQ2, int64_t heads) {
  const at::Tensor q = aligned(q_NQC), kv = aligned(kv_NTD), dout = aligned(dout_NQC);
  AttentionInputs in = inputs_of_two(q, kv, heads);
  in.dout = {&dout};
  const ProfileScope timed("attention gradient", 5 * products_of(in), 0);
  const CrossAttentionGradients result{at::empty_like(q_NQC), at::empty_like(kv_NTD)};
  const at::Tensor none;
  run_backward(isa, in,
               {{&result.dq_NQC}, {&result.dkv_NTD}, {&result.dkv_NTD, q_NQC.size(2)}, {&none}},
               statistics_NhQ2);
  return result;
}

}  // namespace fcm::ops
