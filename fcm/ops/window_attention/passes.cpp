#include "fcm/ops/window_attention/passes.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"
#include "fcm/ops/window_attention/kernel.h"

namespace fcm::ops {
namespace {

// The widest head for our own kernels, which keep blocks of one head in the caches.
constexpr int64_t kWidestWindowHead = 128;
// Up to this set size the biases of all pairs are expanded at once and shared by sets of the same
// layout.
constexpr int64_t kLargestSquare = 256;

const WindowAttentionKernels& window_kernels(Isa isa) {
  return pick(isa, window_attention_plain, window_attention_avx2, window_attention_avx512);
}

WindowShape shape_of(const at::Tensor& qkv, const at::Tensor& bias, const WindowSets& sets) {
  const int64_t heads = bias.size(0);
  return {qkv.size(1),
          heads,
          qkv.size(2) / (3 * heads),
          sets.largest,
          bias.size(1),
          sets.centre,
          sets.plans() == 1 ? qkv.size(0) : 1,
          sets.largest <= kLargestSquare,
          sets.tokens_PT.const_data_ptr<int32_t>(),
          sets.queries_PT.const_data_ptr<int32_t>(),
          sets.keys_PT.const_data_ptr<int32_t>(),
          sets.sets_S4.const_data_ptr<int32_t>()};
}

// The work in chunks: some heads and a range of items. A chunk has several items, because items of
// the same layout share expanded biases. There are few chunks, because each has its own gradient of
// the table.
struct HeadChunks {
  int64_t together;  // heads of a chunk
  int64_t groups;    // groups of heads
  Blocks items;

  HeadChunks(const WindowShape& shape, const WindowSets& sets)
      : together(shape.together()),
        groups((shape.heads + together - 1) / together),
        items(make_blocks(sets.sets_S4.size(0) * shape.copies, smallest(shape, sets))) {}

  // Calls task(chunk, pass with its range), in parallel.
  template <class Pass, class Task>
  void for_each(const Pass& all, const Task& task) const {
    for_each_block({groups * items.count(), 1}, [&](int64_t item) {
      const int64_t chunk = item / groups, group = item % groups;
      Pass part = all;
      part.begin = items.begin(chunk);
      part.end = part.begin + items.size(chunk);
      part.first_head = group * together;
      part.heads = std::min(together, all.shape.heads - part.first_head);
      task(chunk, part);
    });
  }

 private:
  static int64_t smallest(const WindowShape& shape, const WindowSets& sets) {
    constexpr int64_t kMostChunks = 32, kWorthAThread = 100000;
    const int64_t fewest = shape.whole ? 8 : 1;
    const int64_t count = sets.sets_S4.size(0) * shape.copies;
    const int64_t products = shape.copies * sets.pairs * shape.together() * shape.head_dim;
    const int64_t of_item = std::max<int64_t>(1, products / std::max<int64_t>(1, count));
    return std::max({(count + kMostChunks - 1) / kMostChunks, fewest, kWorthAThread / of_item});
  }
};

// Operations of one product of head_dim multiply-adds per score, over all sets and heads.
double window_products(const at::Tensor& qkv, const WindowSets& sets) {
  const int64_t copies = sets.plans() == 1 ? qkv.size(0) : 1;
  const int64_t channels = qkv.size(2) / 3;
  return 2.0 * static_cast<double>(sets.pairs * copies) * static_cast<double>(channels);
}

template <class T, class A>
void run_window_forward(int64_t (*scratch_size)(const WindowShape&),
                        void (*kernel)(const WindowForward<T, A>&), const at::Tensor& qkv,
                        const at::Tensor& bias, const WindowSets& sets,
                        const WindowAttended& result) {
  WindowForward<T, A> all;
  all.shape = shape_of(qkv, bias, sets);
  all.qkv = static_cast<const T*>(qkv.const_data_ptr());
  all.bias = bias.const_data_ptr<A>();
  all.out = static_cast<T*>(result.out_BTC.data_ptr());
  all.statistics = result.statistics_BhT2.data_ptr<A>();
  HeadChunks(all.shape, sets).for_each(all, [&](int64_t, WindowForward<T, A>& part) {
    const at::Tensor scratch = at::empty({scratch_size(all.shape)}, bias.options());
    part.scratch = scratch.data_ptr<A>();
    kernel(part);
  });
}

template <class T, class A>
void run_window_backward(int64_t (*scratch_size)(const WindowShape&),
                         void (*kernel)(const WindowBackward<T, A>&), const at::Tensor& qkv,
                         const at::Tensor& bias, const at::Tensor& dout,
                         const at::Tensor& statistics, const WindowSets& sets,
                         WindowAttentionGradients& result) {
  WindowBackward<T, A> all;
  all.shape = shape_of(qkv, bias, sets);
  all.qkv = static_cast<const T*>(qkv.const_data_ptr());
  all.bias = bias.const_data_ptr<A>();
  all.dout = static_cast<const T*>(dout.const_data_ptr());
  all.statistics = statistics.const_data_ptr<A>();
  all.dqkv = static_cast<T*>(result.dqkv_BTD.data_ptr());
  all.out = result.out_BTC.defined() ? static_cast<T*>(result.out_BTC.data_ptr()) : nullptr;
  const HeadChunks head_chunks(all.shape, sets);
  const int64_t chunks = head_chunks.items.count();
  const at::Tensor parts_KhR = at::zeros({chunks, bias.size(0), bias.size(1)}, bias.options());
  head_chunks.for_each(all, [&](int64_t chunk, WindowBackward<T, A>& part) {
    const at::Tensor scratch = at::empty({scratch_size(all.shape)}, bias.options());
    part.scratch = scratch.data_ptr<A>();
    part.dbias = parts_KhR.data_ptr<A>() + chunk * bias.numel();
    kernel(part);
  });
  at::Tensor sum_hR = at::zeros_like(bias);  // summed in chunk order, for any number of threads
  for (int64_t chunk = 0; chunk < chunks; ++chunk) sum_hR.add_(parts_KhR[chunk]);
  result.dtable_RH = sum_hR.t().contiguous();
}

}  // namespace

bool window_attention_fits(const at::Tensor& x, int64_t head_dim) {
  return x.is_cpu() && !on_cuda(x) && head_dim <= kWidestWindowHead;
}

at::Tensor biases_by_head(const at::Tensor& table_RH, at::ScalarType of_rows) {
  return table_RH.t().to(of_rows == at::kDouble ? at::kDouble : at::kFloat).contiguous();
}

WindowAttended window_attention_forward(Isa isa, const at::Tensor& qkv_BTD,
                                        const at::Tensor& bias_hR, const WindowSets& sets) {
  const ProfileScope timed("window attention", 2 * window_products(qkv_BTD, sets), 0);
  const int64_t batch = qkv_BTD.size(0), tokens = qkv_BTD.size(1);
  const WindowAttended result{at::empty({batch, tokens, qkv_BTD.size(2) / 3}, qkv_BTD.options()),
                              at::empty({batch, bias_hR.size(0), tokens, 2}, bias_hR.options())};
  const WindowAttentionKernels& k = window_kernels(isa);
  if (qkv_BTD.scalar_type() == at::kFloat) {
    run_window_forward(k.forward_scratch, k.forward_float, qkv_BTD, bias_hR, sets, result);
  } else if (qkv_BTD.scalar_type() == at::kBFloat16) {
    run_window_forward(k.forward_scratch, k.forward_bfloat16, qkv_BTD, bias_hR, sets, result);
  } else {
    run_window_forward(k.forward_scratch, k.forward_double, qkv_BTD, bias_hR, sets, result);
  }
  return result;
}

WindowAttentionGradients window_attention_backward(Isa isa, const at::Tensor& dout_BTC,
                                                   const at::Tensor& qkv_BTD,
                                                   const at::Tensor& bias_hR,
                                                   const at::Tensor& statistics_BhT2,
                                                   const WindowSets& sets, bool recompute_out) {
  const ProfileScope timed("window attention gradient",
                           (recompute_out ? 6 : 5) * window_products(qkv_BTD, sets), 0);
  WindowAttentionGradients result{
      at::empty_like(qkv_BTD), {}, recompute_out ? at::empty_like(dout_BTC) : at::Tensor()};
  const WindowAttentionKernels& k = window_kernels(isa);
  if (qkv_BTD.scalar_type() == at::kFloat) {
    run_window_backward(k.backward_scratch, k.backward_float, qkv_BTD, bias_hR, dout_BTC,
                        statistics_BhT2, sets, result);
  } else if (qkv_BTD.scalar_type() == at::kBFloat16) {
    run_window_backward(k.backward_scratch, k.backward_bfloat16, qkv_BTD, bias_hR, dout_BTC,
                        statistics_BhT2, sets, result);
  } else {
    run_window_backward(k.backward_scratch, k.backward_double, qkv_BTD, bias_hR, dout_BTC,
                        statistics_BhT2, sets, result);
  }
  return result;
}

}  // namespace fcm::ops
