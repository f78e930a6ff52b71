#include "fcm/ops/linear/products.h"

#include <ATen/ATen.h>

#include "fcm/ops/cuda/place.h"
#include "fcm/ops/linear/column_sums.h"
#include "fcm/ops/linear/gpu_products.h"
#include "fcm/ops/linear/kernel.h"
#include "fcm/ops/linear/tiled_products.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

template <class A>
const LinearKernelsOf<A>& kernels(Isa isa) {
  const LinearKernels& k = pick(isa, linear_plain, linear_avx2, linear_avx512);
  if constexpr (std::is_same_v<A, float>) {
    return k.of_float;
  } else {
    return k.of_double;
  }
}

template <class A>
at::Tensor pack_panels(const LinearKernelsOf<A>& k, const at::Tensor& b_KN) {
  LinearPanels<A> all;
  all.from = b_KN.const_data_ptr<A>();
  all.depth_stride = b_KN.stride(0);
  all.column_stride = b_KN.stride(1);
  all.depth = b_KN.size(0);
  all.columns = b_KN.size(1);
  const int64_t width = k.panel_width(all.columns);
  const int64_t count = (all.columns + width - 1) / width;
  const at::Tensor panels = at::empty({count * all.depth * width}, b_KN.options());
  all.to = panels.data_ptr<A>();
  const Blocks blocks = make_blocks(count, std::max<int64_t>(1, 32768 / (all.depth * width)));
  for_each_block(blocks, [&](int64_t block) {
    LinearPanels<A> part = all;
    part.begin = blocks.begin(block);
    part.end = part.begin + blocks.size(block);
    k.panels(part);
  });
  return panels;
}

// Writes to y_MN, or adds to it.
template <class A>
void own_product(Isa isa, const at::Tensor& x_MK, const at::Tensor& b_KN, const at::Tensor& bias_N,
                 bool onto_y, const at::Tensor& y_MN) {
  const LinearKernelsOf<A>& k = kernels<A>(isa);
  const at::Tensor panels = pack_panels<A>(k, b_KN);
  LinearRows<A> all;
  all.depth = x_MK.size(1);
  all.columns = b_KN.size(1);
  all.x = x_MK.const_data_ptr<A>();
  all.panels = panels.const_data_ptr<A>();
  all.bias = bias_N.defined() ? bias_N.const_data_ptr<A>() : nullptr;
  all.onto_y = onto_y;
  all.y = y_MN.data_ptr<A>();
  // Whole row blocks of the kernel, unless there are too few for all threads.
  const Blocks blocks = make_blocks(x_MK.size(0), x_MK.size(0) >= 768 ? 96 : 24);
  for_each_block(blocks, [&](int64_t block) {
    LinearRows<A> part = all;
    const at::Tensor scratch = at::empty({k.rows_scratch(all.columns)}, x_MK.options());
    part.scratch = scratch.data_ptr<A>();
    part.rows = blocks.size(block);
    part.x += blocks.begin(block) * all.depth;
    part.y += blocks.begin(block) * all.columns;
    k.rows(part);
  });
}

// Whether to use AMX tiles. float64 cannot use them. float32 uses them only if there is `much`
// arithmetic per element read and written; otherwise memory is the limit, and the AVX-512 kernels
// access it in longer runs (measurements in README.md).
bool by_tiles(Isa isa, const at::Tensor& x, bool much) {
  if (isa != Isa::kAmx) return false;
  return x.scalar_type() == at::kBFloat16 || (x.scalar_type() == at::kFloat && much);
}

bool enough_depth_for_tiles(int64_t depth) { return depth > 64; }
bool enough_width_for_tiles(int64_t inputs, int64_t outputs) {
  return std::max(inputs, outputs) >= 128;
}

void own_product(Isa isa, const at::Tensor& x_MK, const at::Tensor& b_KN, const at::Tensor& bias_N,
                 bool onto_y, const at::Tensor& y_MN) {
  if (by_tiles(isa, x_MK, enough_depth_for_tiles(x_MK.size(1)))) {
    tiled_product(x_MK, b_KN, bias_N, onto_y, y_MN);
  } else if (x_MK.scalar_type() == at::kFloat) {
    own_product<float>(isa, x_MK, b_KN, bias_N, onto_y, y_MN);
  } else {
    own_product<double>(isa, x_MK, b_KN, bias_N, onto_y, y_MN);
  }
}

// The column sums that at::sum(0) of bfloat16 into float32 computes, several times faster.
at::Tensor column_sums(const at::Tensor& x_MN) {
  const LinearKernels& k = pick(isa(), linear_plain, linear_avx2, linear_avx512);
  const Blocks blocks = make_blocks(x_MN.size(0), 16);
  const at::Tensor parts =
      at::empty({blocks.count(), x_MN.size(1)}, x_MN.options().dtype(at::kFloat));
  for_each_block(blocks, [&](int64_t block) {
    LinearColumnSums part;
    part.rows = blocks.size(block);
    part.columns = x_MN.size(1);
    part.x =
        static_cast<const Bfloat16*>(x_MN.const_data_ptr()) + blocks.begin(block) * part.columns;
    part.sums = parts.data_ptr<float>() + block * part.columns;
    k.column_sums(part);
  });
  return parts.sum(0);
}

template <class T, class A>
at::Tensor column_sums_on_cuda(const at::Tensor& x_MN, at::ScalarType wide) {
  const int64_t rows = x_MN.size(0), columns = x_MN.size(1);
  const at::Tensor sums_N = at::empty({columns}, x_MN.options().dtype(wide));
  const at::Tensor parts =
      at::empty({column_sums_parts_cuda(rows, columns), columns}, sums_N.options());
  column_sums_cuda(static_cast<const T*>(x_MN.const_data_ptr()), rows, columns, parts.data_ptr<A>(),
                   sums_N.data_ptr<A>(), cuda_stream_for(x_MN));
  return sums_N;
}

// x_MN: contiguous, not empty. Returns float32 (float64 for float64).
at::Tensor column_sums_on_cuda(const at::Tensor& x_MN) {
  if (x_MN.scalar_type() == at::kDouble) {
    return column_sums_on_cuda<double, double>(x_MN, at::kDouble);
  }
  return x_MN.scalar_type() == at::kBFloat16
             ? column_sums_on_cuda<Bfloat16, float>(x_MN, at::kFloat)
             : column_sums_on_cuda<float, float>(x_MN, at::kFloat);
}

// The result is divided into ranges of outputs, which are wide because each range reads all of x.
// If there are at most half as many ranges as tasks are wanted, the rows are divided as well and
// the parts are summed. The division, and so the order of summation, depends on the sizes and, with
// more than four threads and more than kNarrowest outputs, on the number of threads.
template <class A>
std::pair<at::Tensor, at::Tensor> own_gradients(Isa isa, const at::Tensor& dy_MO,
                                                const at::Tensor& x_MI) {
  constexpr int64_t kNarrowest = 192, kWidest = 384;
  const LinearKernelsOf<A>& k = kernels<A>(isa);
  const int64_t rows = x_MI.size(0), inputs = x_MI.size(1), outputs = dy_MO.size(1);
  const int64_t tasks =
      outputs <= kNarrowest ? 16 : std::max<int64_t>(8, 2 * at::get_num_threads());
  const int64_t share = (outputs / tasks + 11) / 12 * 12;
  const Blocks ranges{outputs, std::clamp(share, kNarrowest, kWidest)};
  const int64_t cuts = std::clamp(tasks / ranges.count(), int64_t{1}, rows / 512 + 1);
  const Blocks parts{rows, (rows + cuts - 1) / cuts};
  const at::Tensor dweights = at::empty({parts.count(), outputs, inputs}, x_MI.options());
  const at::Tensor dbiases = at::empty({parts.count(), outputs}, x_MI.options());
  at::parallel_for(0, parts.count() * ranges.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task / ranges.count(), range = task % ranges.count();
      LinearWeights<A> a;
      a.rows = parts.size(part);
      a.inputs = inputs;
      a.outputs = outputs;
      a.begin = ranges.begin(range);
      a.end = a.begin + ranges.size(range);
      a.x = x_MI.const_data_ptr<A>() + parts.begin(part) * inputs;
      a.dy = dy_MO.const_data_ptr<A>() + parts.begin(part) * outputs;
      a.dweight = dweights.data_ptr<A>() + part * outputs * inputs;
      a.dbias = dbiases.data_ptr<A>() + part * outputs;
      const at::Tensor scratch =
          at::empty({k.weights_scratch(inputs, a.end - a.begin)}, x_MI.options());
      a.scratch = scratch.data_ptr<A>();
      k.weights(a);
    }
  });
  if (parts.count() == 1) return {dweights.select(0, 0), dbiases.select(0, 0)};
  return {dweights.sum(0), dbiases.sum(0)};
}

// With fewer rows, packing the weight costs more than our own kernels gain. (LibTorch's float32
// products reach half the peak of some AVX-512 processors, its bfloat16 products a quarter of
// AMX's.)
constexpr int64_t kFewestRows = 48;

double flops_of(const at::Tensor& x_MK, int64_t columns) {
  return 2.0 * static_cast<double>(x_MK.numel()) * static_cast<double>(columns);
}

}  // namespace

OwnKernels fastest_products(const at::Tensor& x) {
  if (on_cuda(x)) return std::nullopt;
  const bool tiles = isa() == Isa::kAmx && x.scalar_type() == at::kBFloat16;
  if (!tiles && (x.scalar_type() != at::kFloat || isa() < Isa::kAvx512)) return std::nullopt;
  if (x.numel() < kFewestRows * x.size(-1)) return std::nullopt;
  return isa();
}

at::Tensor weight_for(const at::Tensor& x, const at::Tensor& weight_OI,
                      const at::Tensor& rounded_OI) {
  const bool usable = rounded_OI.defined() && rounded_OI.scalar_type() == x.scalar_type() &&
                      rounded_OI.sizes() == weight_OI.sizes();
  return usable ? rounded_OI : weight_OI.to(x.scalar_type()).contiguous();
}

at::Tensor product_with_bias(OwnKernels own, const at::Tensor& x_MK, const at::Tensor& b_KN,
                             const at::Tensor& bias_N) {
  const ProfileScope timed("product", flops_of(x_MK, b_KN.size(1)), 0, b_KN.size(0), b_KN.size(1));
  if (own.has_value()) {
    const at::Tensor y_MN = at::empty({x_MK.size(0), b_KN.size(1)}, x_MK.options());
    own_product(*own, x_MK, b_KN, bias_N, /*onto_y=*/false, y_MN);
    return y_MN;
  }
  const auto y_MN = gpu_product(x_MK, b_KN, bias_N, /*c_MN=*/{}, x_MK.scalar_type());
  if (y_MN) return *y_MN;
  return bias_N.defined() ? at::addmm(bias_N, x_MK, b_KN) : at::mm(x_MK, b_KN);
}

void add_product(OwnKernels own, const at::Tensor& x_MK, const at::Tensor& b_KN,
                 const at::Tensor& y_MN) {
  const ProfileScope timed("product", flops_of(x_MK, b_KN.size(1)), 0, b_KN.size(0), b_KN.size(1));
  if (own.has_value()) {
    own_product(*own, x_MK, b_KN, at::Tensor(), /*onto_y=*/true, y_MN);
  } else {
    y_MN.addmm_(x_MK, b_KN);
  }
}

at::Tensor product_onto(OwnKernels own, const at::Tensor& residual, const at::Tensor& x_MK,
                        const at::Tensor& b_KN, const at::Tensor& bias) {
  if (on_cuda(x_MK) && residual.is_contiguous() && bias.dim() == 1) {
    const ProfileScope timed("product", flops_of(x_MK, b_KN.size(1)), 0, b_KN.size(0),
                             b_KN.size(1));
    const auto y_MN =
        gpu_product(x_MK, b_KN, bias, residual.view({-1, b_KN.size(1)}), x_MK.scalar_type());
    if (y_MN) return y_MN->view(residual.sizes());
  }
  // The product accumulates onto residual + bias, rounded once at the end.
  const at::Tensor y = at::add(residual, bias).contiguous();
  add_product(own, x_MK, b_KN, y.view({-1, b_KN.size(1)}));
  return y;
}

std::pair<at::Tensor, at::Tensor> weight_gradients(OwnKernels own, const at::Tensor& dy_MO,
                                                   const at::Tensor& x_MI,
                                                   const at::Tensor& sums_O) {
  const ProfileScope timed("weight gradient", flops_of(x_MI, dy_MO.size(1)), 0, x_MI.size(1),
                           dy_MO.size(1));
  if (own.has_value()) {
    if (by_tiles(*own, x_MI, enough_width_for_tiles(x_MI.size(1), dy_MO.size(1)))) {
      return tiled_gradients(dy_MO, x_MI);
    }
    return x_MI.scalar_type() == at::kFloat ? own_gradients<float>(*own, dy_MO, x_MI)
                                            : own_gradients<double>(*own, dy_MO, x_MI);
  }
  if (on_cuda(dy_MO)) {
    const auto dweight =
        gpu_product(dy_MO.t(), x_MI, {}, {}, c10::promoteTypes(x_MI.scalar_type(), at::kFloat));
    return {dweight ? *dweight : at::mm(dy_MO.t(), x_MI),
            sums_O.defined() ? sums_O : column_sums_on_cuda(dy_MO.contiguous())};
  }
  return {at::mm(dy_MO.t(), x_MI),
          dy_MO.scalar_type() == at::kBFloat16 ? column_sums(dy_MO) : dy_MO.sum(0)};
}

}  // namespace fcm::ops
