#include "fcm/nn/conv_winograd.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace fcm::nn {
namespace {

// Outputs in tiles of 2 x 2, which read inputs in tiles of 4 x 4 that overlap. Work goes in bands
// of tile rows, so that what lies between two transforms stays small: n rows of `columns` tiles.
struct Tiling {
  int64_t batch, height, width;
  int64_t rows = (height + 1) / 2, columns = (width + 1) / 2;
  int64_t band = std::clamp<int64_t>(256 / std::max<int64_t>(1, columns), 1, rows);

  explicit Tiling(const at::Tensor& map_BHWC)
      : batch(map_BHWC.size(0)), height(map_BHWC.size(1)), width(map_BHWC.size(2)) {}

  // Zeros around, and one more where a side is odd.
  at::Tensor framed(const at::Tensor& x_BHWI) const {
    return at::constant_pad_nd(x_BHWI,
                               {0, 0, 1, 2 * columns - width + 1, 1, 2 * rows - height + 1});
  }
  at::Tensor unframed(const at::Tensor& framed) const {
    return framed.narrow(1, 1, height).narrow(2, 1, width).contiguous();
  }
  // To even sides and back.
  at::Tensor even(const at::Tensor& y_BHWO) const {
    if (is_even()) return y_BHWO;
    return at::constant_pad_nd(y_BHWO, {0, 0, 0, 2 * columns - width, 0, 2 * rows - height});
  }
  at::Tensor cropped(const at::Tensor& even) const {
    return is_even() ? even : even.narrow(1, 0, height).narrow(2, 0, width).contiguous();
  }
  bool is_even() const { return height % 2 == 0 && width % 2 == 0; }

  // task(picture, first tile row, tile rows)
  template <class Task>
  void for_each_band(const Task& task) const {
    for (int64_t picture = 0; picture < batch; ++picture) {
      for (int64_t first = 0; first < rows; first += band) {
        task(picture, first, std::min(band, rows - first));
      }
    }
  }
};

// Every second place along a dimension, `count` of them.
at::Tensor every_second(const at::Tensor& x, int64_t dim, int64_t first, int64_t count) {
  return x.slice(dim, first, first + 2 * count - 1, 2);
}

// B^T d along `from`, [..., 2 * count + 2, ...] -> the four places of `to`'s dimension 0.
void transform_input(const at::Tensor& from, int64_t dim, int64_t count, const at::Tensor& to) {
  const at::Tensor d0 = every_second(from, dim, 0, count), d1 = every_second(from, dim, 1, count),
                   d2 = every_second(from, dim, 2, count), d3 = every_second(from, dim, 3, count);
  at::Tensor to0 = to[0], to1 = to[1], to2 = to[2], to3 = to[3];
  at::sub_out(to0, d0, d2);
  at::add_out(to1, d1, d2);
  at::sub_out(to2, d2, d1);
  at::sub_out(to3, d1, d3);
}

// Its adjoint, added to what lies there.
void add_adjoint_of_input(const at::Tensor& from, int64_t dim, int64_t count,
                          const at::Tensor& to) {
  at::Tensor middle = from[1] - from[2];
  every_second(to, dim, 0, count).add_(from[0]);
  every_second(to, dim, 3, count).sub_(from[3]);
  every_second(to, dim, 1, count).add_(middle.add_(from[3]));
  at::add_out(middle, from[1], from[2]);
  every_second(to, dim, 2, count).add_(middle.sub_(from[0]));
}

// A^T m: the four places of dimension 0 -> two places of another tensor.
void transform_output(const at::Tensor& from, at::Tensor to0, at::Tensor to1) {
  at::add_out(to0, from[0], from[1]).add_(from[2]);
  at::sub_out(to1, from[1], from[2]).sub_(from[3]);
}

void adjoint_of_output(const at::Tensor& from0, const at::Tensor& from1, const at::Tensor& to) {
  at::Tensor to0 = to[0], to1 = to[1], to2 = to[2], to3 = to[3];
  to0.copy_(from0);
  at::add_out(to1, from0, from1);
  at::sub_out(to2, from0, from1);
  at::neg_out(to3, from1);
}

// G (x) G, [16, 9].
at::Tensor weight_matrix(const at::TensorOptions& options) {
  const at::Tensor g_43 = at::tensor({1.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0.0, 0.0, 1.0},
                                     options.dtype(at::kDouble))
                              .view({4, 3});
  return at::kron(g_43, g_43).to(options);
}

// [O, 3, 3, I] -> [16, O, I]
at::Tensor transformed_weight(const at::Tensor& weight_O33I) {
  const int64_t out = weight_O33I.size(0), in = weight_O33I.size(3);
  // By column, then row, as tiles are.
  const at::Tensor taps_9E = weight_O33I.permute({2, 1, 0, 3}).reshape({9, out * in});
  return at::mm(weight_matrix(weight_O33I.options()), taps_9E).view({16, out, in});
}

at::Tensor adjoint_of_weight(const at::Tensor& dweight_16OI) {
  const int64_t out = dweight_16OI.size(1), in = dweight_16OI.size(2);
  return at::mm(weight_matrix(dweight_16OI.options()).t(), dweight_16OI.view({16, out * in}))
      .view({3, 3, out, in})
      .permute({2, 1, 0, 3});
}

// One band's numbers between the transforms, made once and used by all.
struct Workspace {
  at::Tensor half, whole;  // after one axis, after both

  // half: [4, rows, width, C]; whole: [4 (columns), 4 (rows), rows, columns, C], as 16 matrices.
  Workspace(const Tiling& tiling, int64_t width, int64_t channels, const at::TensorOptions& options)
      : half(at::empty({4 * tiling.band * width * channels}, options)),
        whole(at::empty({16 * tiling.band * tiling.columns * channels}, options)) {}

  at::Tensor half_of(int64_t rows, int64_t width, int64_t channels) const {
    return half.narrow(0, 0, 4 * rows * width * channels).view({4, rows, width, channels});
  }
  at::Tensor whole_of(int64_t rows, int64_t columns, int64_t channels) const {
    return whole.narrow(0, 0, 16 * rows * columns * channels).view({4, 4, rows, columns, channels});
  }
};

// Tiles of a band of the framed map: [4, 4, n, columns, I].
at::Tensor input_tiles(const Tiling& tiling, const at::Tensor& band_HWI, int64_t n,
                       const Workspace& space) {
  const int64_t width = band_HWI.size(1), channels = band_HWI.size(2);
  const at::Tensor half = space.half_of(n, width, channels);
  const at::Tensor whole = space.whole_of(n, tiling.columns, channels);
  transform_input(band_HWI, 0, n, half);
  transform_input(half, 2, tiling.columns, whole);
  return whole;
}

at::Tensor matrices(const at::Tensor& tiles) {
  return tiles.view({16, tiles.size(2) * tiles.size(3), tiles.size(4)});
}

// From tiles to a band of the output, [2 * n, 2 * columns, O], and the adjoint of that.
void write_outputs(const Tiling& tiling, const at::Tensor& tiles, int64_t n, const Workspace& space,
                   const at::Tensor& rows_HWO) {
  const at::Tensor half = space.half_of(n, 2 * tiling.columns, rows_HWO.size(2));
  transform_output(tiles, every_second(half, 2, 0, tiling.columns),
                   every_second(half, 2, 1, tiling.columns));
  transform_output(half, every_second(rows_HWO, 0, 0, n), every_second(rows_HWO, 0, 1, n));
}

at::Tensor output_tiles(const Tiling& tiling, const at::Tensor& rows_HWO, int64_t n,
                        const Workspace& space) {
  const int64_t width = 2 * tiling.columns, channels = rows_HWO.size(2);
  const at::Tensor half = space.half_of(n, width, channels);
  const at::Tensor whole = space.whole_of(n, tiling.columns, channels);
  adjoint_of_output(every_second(rows_HWO, 0, 0, n), every_second(rows_HWO, 0, 1, n), half);
  adjoint_of_output(every_second(half, 2, 0, tiling.columns),
                    every_second(half, 2, 1, tiling.columns), whole);
  return whole;
}

}  // namespace

at::Tensor winograd(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I) {
  const Tiling tiling(x_BHWI);
  const int64_t out = weight_O33I.size(0), in = x_BHWI.size(3);
  const at::Tensor weight_16OI = transformed_weight(weight_O33I);
  const at::Tensor framed = tiling.framed(x_BHWI);
  const at::Tensor y =
      at::empty({tiling.batch, 2 * tiling.rows, 2 * tiling.columns, out}, x_BHWI.options());
  const Workspace inputs(tiling, framed.size(2), in, x_BHWI.options());
  const Workspace outputs(tiling, 2 * tiling.columns, out, x_BHWI.options());
  tiling.for_each_band([&](int64_t picture, int64_t first, int64_t n) {
    const at::Tensor tiles =
        input_tiles(tiling, framed[picture].narrow(0, 2 * first, 2 * n + 2), n, inputs);
    const at::Tensor mixed = outputs.whole_of(n, tiling.columns, out);
    at::Tensor mixed_16TO = matrices(mixed);
    at::bmm_out(mixed_16TO, matrices(tiles), weight_16OI.transpose(1, 2));
    write_outputs(tiling, mixed, n, outputs, y[picture].narrow(0, 2 * first, 2 * n));
  });
  return tiling.cropped(y);
}

ConvGradients winograd_backward(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I,
                                const at::Tensor& dy_BHWO, bool wants_dx) {
  const Tiling tiling(x_BHWI);
  const int64_t out = weight_O33I.size(0), in = x_BHWI.size(3);
  const at::Tensor framed = tiling.framed(x_BHWI), dy = tiling.even(dy_BHWO);
  const at::Tensor weight_16OI = wants_dx ? transformed_weight(weight_O33I) : at::Tensor();
  const at::Tensor dframed = wants_dx ? at::zeros_like(framed) : at::Tensor();
  at::Tensor dweight_16OI = at::zeros({16, out, in}, x_BHWI.options());
  const Workspace inputs(tiling, framed.size(2), in, x_BHWI.options());
  const Workspace outputs(tiling, 2 * tiling.columns, out, x_BHWI.options());
  tiling.for_each_band([&](int64_t picture, int64_t first, int64_t n) {
    const at::Tensor tiles =
        input_tiles(tiling, framed[picture].narrow(0, 2 * first, 2 * n + 2), n, inputs);
    const at::Tensor dmixed_16TO =
        matrices(output_tiles(tiling, dy[picture].narrow(0, 2 * first, 2 * n), n, outputs));
    dweight_16OI.baddbmm_(dmixed_16TO.transpose(1, 2), matrices(tiles));
    if (!wants_dx) return;
    at::Tensor dtiles_16TI = matrices(tiles);  // which are not needed any more
    at::bmm_out(dtiles_16TI, dmixed_16TO, weight_16OI);
    const at::Tensor half = inputs.half_of(n, framed.size(2), in).zero_();
    add_adjoint_of_input(tiles, 2, tiling.columns, half);
    add_adjoint_of_input(half, 0, n, dframed[picture].narrow(0, 2 * first, 2 * n + 2));
  });
  return {wants_dx ? tiling.unframed(dframed) : at::Tensor(), adjoint_of_weight(dweight_16OI)};
}

}  // namespace fcm::nn
