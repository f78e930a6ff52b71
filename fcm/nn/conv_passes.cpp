#include "fcm/nn/conv_passes.h"

#include <ATen/ATen.h>

#include <array>

#include "fcm/nn/upsample.h"
#include "fcm/ops/isa.h"
#include "fcm/ops/linear/products.h"

namespace fcm::nn {
namespace {

constexpr ConvStep kThreeByThree{3, 1, 1};

// For fewer pixels, Winograd's transform of the weight takes longer than its products save.
constexpr int64_t kFewestPixels = 512;

enum class Algorithm { kProduct, kWindows, kWinograd, kLibrary };

Algorithm algorithm_of(const at::Tensor& x_BHWI, const ConvStep& step) {
  if (step.side == 1 && step.stride == 1) return Algorithm::kProduct;
  if (step != kThreeByThree || x_BHWI.size(0) * x_BHWI.size(1) * x_BHWI.size(2) < kFewestPixels) {
    return Algorithm::kWindows;
  }
  const bool narrow = x_BHWI.scalar_type() == at::kBFloat16;
  if (x_BHWI.is_cuda() || (narrow && ops::has_bf16_instructions())) return Algorithm::kLibrary;
  return Algorithm::kWinograd;
}

int64_t output_size(int64_t size, const ConvStep& step) {
  return (size + 2 * step.padding - step.side) / step.stride + 1;
}

at::Tensor framed(const at::Tensor& x_BHWI, int64_t padding) {
  if (padding == 0) return x_BHWI;
  return at::constant_pad_nd(x_BHWI, {0, 0, padding, padding, padding, padding});
}

// The part of a padded map that one tap of the window reads: [B, R, S, I].
at::Tensor seen_by_tap(const at::Tensor& framed, int64_t row, int64_t column, int64_t rows,
                       int64_t columns, int64_t stride) {
  return framed.slice(1, row, row + stride * (rows - 1) + 1, stride)
      .slice(2, column, column + stride * (columns - 1) + 1, stride);
}

// Gathers windows: one row of side * side * I values each.
at::Tensor windows(const at::Tensor& x_BHWI, const ConvStep& step) {
  const int64_t batch = x_BHWI.size(0), in = x_BHWI.size(3), side = step.side;
  const int64_t rows = output_size(x_BHWI.size(1), step),
                columns = output_size(x_BHWI.size(2), step);
  const at::Tensor map = framed(x_BHWI, step.padding);
  const at::Tensor all = at::empty({batch, rows, columns, side * side, in}, x_BHWI.options());
  for (int64_t tap = 0; tap < side * side; ++tap) {
    all.select(3, tap).copy_(seen_by_tap(map, tap / side, tap % side, rows, columns, step.stride));
  }
  return all.view({-1, side * side * in});
}

at::Tensor adjoint_of_windows(const at::Tensor& dwindows, at::IntArrayRef sizes,
                              const ConvStep& step) {
  const int64_t side = step.side, padding = step.padding;
  const int64_t rows = output_size(sizes[1], step), columns = output_size(sizes[2], step);
  const at::Tensor all = dwindows.view({sizes[0], rows, columns, side * side, sizes[3]});
  const at::Tensor map = at::zeros(
      {sizes[0], sizes[1] + 2 * padding, sizes[2] + 2 * padding, sizes[3]}, dwindows.options());
  for (int64_t tap = 0; tap < side * side; ++tap) {
    seen_by_tap(map, tap / side, tap % side, rows, columns, step.stride).add_(all.select(3, tap));
  }
  return map.narrow(1, padding, sizes[1]).narrow(2, padding, sizes[2]).contiguous();
}

at::Tensor by_channels(const at::Tensor& map_BHWC) { return map_BHWC.permute({0, 3, 1, 2}); }
at::Tensor channels_last(const at::Tensor& map_BCHW) {
  return map_BCHW.permute({0, 2, 3, 1}).contiguous();
}

at::Tensor float_of(const at::Tensor& x) {
  return x.to(at::promote_types(x.scalar_type(), at::kFloat));
}

ConvGradients library_backward(const at::Tensor& x_BHWI, const at::Tensor& weight,
                               const at::Tensor& dy, const ConvStep& step, bool wants_dx) {
  const auto [dx, dweight, none] = at::convolution_backward(
      by_channels(dy), by_channels(x_BHWI), by_channels(weight), std::nullopt,
      {step.stride, step.stride}, {step.padding, step.padding}, {1, 1}, false, {0, 0}, 1,
      {wants_dx, true, false});
  return {wants_dx ? channels_last(dx) : at::Tensor(), channels_last(dweight)};
}

// Taps of a row of the kernel as one matrix, [3 * O, I].
at::Tensor taps_of_row(const at::Tensor& weight_O33I, int64_t row) {
  return weight_O33I.select(1, row).permute({1, 0, 2}).reshape({-1, weight_O33I.size(3)});
}

// For taps -1, 0 and 1, the matrix [out, in] that upsamples and then shifts by the tap. Zeros are
// shifted in from outside the map.
std::array<at::Tensor, 3> shifted_matrices(int64_t in, int64_t out,
                                           const at::TensorOptions& options) {
  const at::Tensor framed = at::constant_pad_nd(bilinear_matrix(in, out), {0, 0, 1, 1});
  std::array<at::Tensor, 3> matrices;
  for (int64_t tap = 0; tap < 3; ++tap) {
    matrices[static_cast<size_t>(tap)] = framed.narrow(0, tap, out).to(options);
  }
  return matrices;
}

// The matrices of the two products, over rows and over columns, that upsample and shift a map.
struct UpsampleAndShift {
  int64_t batch, in_rows, in_columns, out_rows, out_columns;
  std::array<at::Tensor, 3> rows;  // by the tap's row
  at::Tensor columns;              // [out, (in column, tap's column)]

  UpsampleAndShift(const at::Tensor& x_BhwI, const at::Tensor& y_BRSO)
      : batch(x_BhwI.size(0)),
        in_rows(x_BhwI.size(1)),
        in_columns(x_BhwI.size(2)),
        out_rows(y_BRSO.size(1)),
        out_columns(y_BRSO.size(2)),
        rows(shifted_matrices(in_rows, out_rows, y_BRSO.options())) {
    const auto by_tap = shifted_matrices(in_columns, out_columns, y_BRSO.options());
    columns = at::stack({by_tap[0], by_tap[1], by_tap[2]}, 2).view({out_columns, 3 * in_columns});
  }

  at::Tensor rows_of(int64_t row) const {
    return rows[static_cast<size_t>(row)].expand({batch, out_rows, in_rows});
  }
  at::Tensor all_columns() const {
    return columns.expand({batch * in_rows, out_columns, 3 * in_columns});
  }
};

}  // namespace

at::Tensor conv_forward(const at::Tensor& x_BHWI, const at::Tensor& weight, const ConvStep& step) {
  const Algorithm algorithm = algorithm_of(x_BHWI, step);
  const int64_t out = weight.size(0);
  if (x_BHWI.numel() == 0) {  // no regions
    return at::empty(
        {x_BHWI.size(0), output_size(x_BHWI.size(1), step), output_size(x_BHWI.size(2), step), out},
        x_BHWI.options());
  }
  if (algorithm == Algorithm::kWinograd) {
    return ops::conv3x3_forward(ops::isa(), float_of(x_BHWI).contiguous(), float_of(weight))
        .to(x_BHWI.scalar_type());
  }
  if (algorithm == Algorithm::kLibrary) {
    return channels_last(at::conv2d(by_channels(x_BHWI), by_channels(weight), {},
                                    {step.stride, step.stride}, {step.padding, step.padding}));
  }
  const at::Tensor rows = algorithm == Algorithm::kProduct ? x_BHWI.reshape({-1, x_BHWI.size(3)})
                                                           : windows(x_BHWI, step);
  return ops::product_with_bias(ops::fastest_products(rows), rows, weight.reshape({out, -1}).t(),
                                {})
      .view({x_BHWI.size(0), output_size(x_BHWI.size(1), step), output_size(x_BHWI.size(2), step),
             out});
}

ConvGradients conv_backward(const at::Tensor& x_BHWI, const at::Tensor& weight,
                            const at::Tensor& dy, const ConvStep& step, bool wants_dx) {
  const Algorithm algorithm = algorithm_of(x_BHWI, step);
  if (x_BHWI.numel() == 0) {
    return {wants_dx ? at::zeros_like(x_BHWI) : at::Tensor(), at::zeros_like(weight)};
  }
  if (algorithm == Algorithm::kWinograd) {
    ConvGradients wide =
        ops::conv3x3_backward(ops::isa(), float_of(x_BHWI).contiguous(), float_of(weight),
                              float_of(dy).contiguous(), wants_dx);
    if (wants_dx) wide.dx_BHWI = wide.dx_BHWI.to(x_BHWI.scalar_type());
    return wide;
  }
  if (algorithm == Algorithm::kLibrary) return library_backward(x_BHWI, weight, dy, step, wants_dx);
  const int64_t out = weight.size(0);
  const bool gathered = algorithm == Algorithm::kWindows;
  const at::Tensor rows = gathered ? windows(x_BHWI, step) : x_BHWI.reshape({-1, x_BHWI.size(3)});
  const at::Tensor dy_PO = dy.reshape({-1, out}).contiguous();
  const ops::OwnKernels own = ops::fastest_products(rows);
  ConvGradients gradients;
  gradients.dweight_O33I = ops::weight_gradients(own, dy_PO, rows).first.view(weight.sizes());
  if (!wants_dx) return gradients;
  const at::Tensor drows = ops::product_with_bias(own, dy_PO, weight.reshape({out, -1}), {});
  gradients.dx_BHWI =
      gathered ? adjoint_of_windows(drows, x_BHWI.sizes(), step) : drows.view(x_BHWI.sizes());
  return gradients;
}

void add_conv_of_upsampled(const at::Tensor& x_BhwI, const at::Tensor& weight_O33I,
                           const at::Tensor& y_BRSO) {
  const UpsampleAndShift matrices(x_BhwI, y_BRSO);
  const int64_t out = weight_O33I.size(0);
  const at::Tensor x_PI = x_BhwI.reshape({-1, x_BhwI.size(3)}).contiguous();
  const ops::OwnKernels own = ops::fastest_products(x_PI);
  at::Tensor sum = y_BRSO.view({matrices.batch, matrices.out_rows, matrices.out_columns * out});
  for (int64_t row = 0; row < 3; ++row) {
    const at::Tensor mixed =  // [P, (tap's column, O)], i.e. a matrix whose rows are (column, tap)
        ops::product_with_bias(own, x_PI, taps_of_row(weight_O33I, row).t(), {});
    const at::Tensor wide =
        at::bmm(matrices.all_columns(),
                mixed.to(y_BRSO.scalar_type())
                    .view({matrices.batch * matrices.in_rows, 3 * matrices.in_columns, out}))
            .view({matrices.batch, matrices.in_rows, matrices.out_columns * out});
    sum.baddbmm_(matrices.rows_of(row), wide);
  }
}

ConvGradients conv_of_upsampled_backward(const at::Tensor& x_BhwI, const at::Tensor& weight_O33I,
                                         const at::Tensor& dy_BRSO, bool wants_dx) {
  const UpsampleAndShift matrices(x_BhwI, dy_BRSO);
  const int64_t out = weight_O33I.size(0), in = weight_O33I.size(3);
  const at::Tensor x_PI = x_BhwI.reshape({-1, in}).contiguous();
  const ops::OwnKernels own = ops::fastest_products(x_PI);
  const at::Tensor dsum =
      dy_BRSO.view({matrices.batch, matrices.out_rows, matrices.out_columns * out});
  ConvGradients gradients;
  gradients.dweight_O33I =
      at::empty({out, 3, 3, in}, weight_O33I.options().dtype(dy_BRSO.scalar_type()));
  at::Tensor dx_PI;
  for (int64_t row = 0; row < 3; ++row) {
    const at::Tensor dwide =
        at::bmm(matrices.rows_of(row).transpose(1, 2), dsum)
            .view({matrices.batch * matrices.in_rows, matrices.out_columns, out});
    const at::Tensor dmixed_PN = at::bmm(matrices.all_columns().transpose(1, 2), dwide)
                                     .view({-1, 3 * out})
                                     .to(x_BhwI.scalar_type());
    gradients.dweight_O33I.select(1, row).copy_(
        ops::weight_gradients(own, dmixed_PN, x_PI).first.view({3, out, in}).permute({1, 0, 2}));
    if (!wants_dx) continue;
    const at::Tensor taps = taps_of_row(weight_O33I, row);
    if (dx_PI.defined()) {
      ops::add_product(own, dmixed_PN, taps, dx_PI);
    } else {
      dx_PI = ops::product_with_bias(own, dmixed_PN, taps, {});
    }
  }
  if (wants_dx) gradients.dx_BHWI = dx_PI.view(x_BhwI.sizes());
  return gradients;
}

}  // namespace fcm::nn
