#include "fcm/ops/conv3x3/passes.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/ops/conv3x3/kernel.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

constexpr int64_t kSide = 4;     // outputs per side of a tile
constexpr int64_t kPlaces = 36;  // positions in a transformed tile, each a matrix product
constexpr int64_t kBand = 256;   // tiles transformed at a time: large products, little memory
constexpr int64_t kPerTask = 8;  // tiles per task of a thread

const Conv3x3Kernels& kernels(Isa isa) {
  return pick(isa, conv3x3_plain, conv3x3_avx2, conv3x3_avx512);
}

// How maps are cut into tiles.
struct Tiles {
  int64_t images, rows, cols;
  int64_t count = images * ((rows + kSide - 1) / kSide) * ((cols + kSide - 1) / kSide);
  int64_t band = std::min(kBand, count);

  explicit Tiles(const at::Tensor& map_BHWC)
      : images(map_BHWC.size(0)), rows(map_BHWC.size(1)), cols(map_BHWC.size(2)) {}

  // task(first tile, tiles)
  template <class Task>
  void for_each_band(const Task& task) const {
    for (int64_t first = 0; first < count; first += band) {
      task(first, std::min(band, count - first));
    }
  }
};

// One buffer for the 36 matrices [n, channels] of a band, reused by all bands.
class Matrices {
 public:
  Matrices(const Tiles& tiles, int64_t channels, const at::TensorOptions& options)
      : channels_(channels), memory_(at::empty({kPlaces * tiles.band * channels}, options)) {}
  at::Tensor of(int64_t n) const {
    return memory_.narrow(0, 0, kPlaces * n * channels_).view({kPlaces, n, channels_});
  }

 private:
  int64_t channels_;
  at::Tensor memory_;
};

enum class TransformKind { kInput, kOutput, kGradient };

template <class T>
void run_transform(void (*kernel)(const MapTiles<T>&), const at::Tensor& from, const at::Tensor& to,
                   const at::Tensor& map_BHWC, const at::Tensor& matrices_PNC, int64_t first) {
  MapTiles<T> all{};
  all.rows = map_BHWC.size(1);
  all.cols = map_BHWC.size(2);
  all.channels = map_BHWC.size(3);
  all.matrix = matrices_PNC.stride(0);
  const bool to_matrices = to.is_same(matrices_PNC);
  const T* source = from.const_data_ptr<T>();
  T* result = to.data_ptr<T>();
  const Blocks blocks = make_blocks(matrices_PNC.size(1), kPerTask);
  for_each_block(blocks, [&](int64_t block) {
    MapTiles<T> part = all;
    const int64_t begin = blocks.begin(block), offset = begin * all.channels;
    part.first = first + begin;
    part.count = blocks.size(block);
    part.from = to_matrices ? source : source + offset;
    part.to = to_matrices ? result + offset : result;
    kernel(part);
  });
}

// Transforms between a map and the matrices of the band that starts at tile `first`.
void transform(Isa isa, TransformKind kind, const at::Tensor& map_BHWC,
               const at::Tensor& matrices_PNC, int64_t first) {
  const Conv3x3Kernels& k = kernels(isa);
  const at::Tensor& from = kind == TransformKind::kOutput ? matrices_PNC : map_BHWC;
  const at::Tensor& to = kind == TransformKind::kOutput ? map_BHWC : matrices_PNC;
  const auto run = [&](auto input, auto output, auto gradient) {
    run_transform(kind == TransformKind::kInput    ? input
                  : kind == TransformKind::kOutput ? output
                                                   : gradient,
                  from, to, map_BHWC, matrices_PNC, first);
  };
  if (map_BHWC.scalar_type() == at::kFloat) {
    run(k.input_float, k.output_float, k.gradient_float);
  } else {
    run(k.input_double, k.output_double, k.gradient_double);
  }
}

// The Kronecker product of Winograd's G with itself, [36, 9].
at::Tensor weight_matrix(const at::TensorOptions& options) {
  const at::Tensor g_63 =
      at::tensor({1. / 4, 0., 0., -1. / 6, -1. / 6, -1. / 6, -1. / 6, 1. / 6, -1. / 6, 1. / 24,
                  1. / 12, 1. / 6, 1. / 24, -1. / 12, 1. / 6, 0., 0., 1.},
                 options.dtype(at::kDouble))
          .view({6, 3});
  return at::kron(g_63, g_63).to(options);
}

// [O, 3, 3, I] -> [36, O, I]
at::Tensor transformed_weight(const at::Tensor& weight_O33I) {
  const int64_t out = weight_O33I.size(0), in = weight_O33I.size(3);
  const at::Tensor taps_9E = weight_O33I.permute({1, 2, 0, 3}).reshape({9, out * in});
  return at::mm(weight_matrix(weight_O33I.options()), taps_9E).view({kPlaces, out, in});
}

at::Tensor adjoint_of_weight(const at::Tensor& dweight_36OI) {
  const int64_t out = dweight_36OI.size(1), in = dweight_36OI.size(2);
  return at::mm(weight_matrix(dweight_36OI.options()).t(), dweight_36OI.view({kPlaces, out * in}))
      .view({3, 3, out, in})
      .permute({2, 0, 1, 3});
}

// Operations of the direct convolution.
double plain_flops(const at::Tensor& x_BHWI, int64_t out) {
  return 18.0 * static_cast<double>(x_BHWI.numel() * out);
}

at::Tensor convolve(Isa isa, const at::Tensor& x_BHWI, const at::Tensor& weight_36OI) {
  const Tiles tiles(x_BHWI);
  const int64_t out = weight_36OI.size(1);
  const at::Tensor y = at::empty({tiles.images, tiles.rows, tiles.cols, out}, x_BHWI.options());
  const Matrices inputs(tiles, x_BHWI.size(3), x_BHWI.options());
  const Matrices outputs(tiles, out, x_BHWI.options());
  tiles.for_each_band([&](int64_t first, int64_t n) {
    transform(isa, TransformKind::kInput, x_BHWI, inputs.of(n), first);
    at::Tensor mixed = outputs.of(n);
    at::bmm_out(mixed, inputs.of(n), weight_36OI.transpose(1, 2));
    transform(isa, TransformKind::kOutput, y, mixed, first);
  });
  return y;
}

void check(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I) {
  const auto type = x_BHWI.scalar_type();
  require((type == at::kFloat || type == at::kDouble) && weight_O33I.scalar_type() == type &&
              x_BHWI.is_contiguous() && weight_O33I.size(3) == x_BHWI.size(3),
          "conv3x3: expected contiguous float32 or float64 maps and weights of equal channels, got "
          "maps of {} and weights of {}, {} and {} channels",
          at::toString(type), at::toString(weight_O33I.scalar_type()), x_BHWI.size(3),
          weight_O33I.size(3));
}

}  // namespace

at::Tensor conv3x3_forward(Isa isa, const at::Tensor& x_BHWI, const at::Tensor& weight_O33I) {
  check(x_BHWI, weight_O33I);
  const int64_t in = weight_O33I.size(3), out = weight_O33I.size(0);
  const ProfileScope timed("convolution", plain_flops(x_BHWI, out), 0, in, out);
  return convolve(isa, x_BHWI, transformed_weight(weight_O33I));
}

ConvGradients conv3x3_backward(Isa isa, const at::Tensor& x_BHWI, const at::Tensor& weight_O33I,
                               const at::Tensor& dy_BHWO, bool wants_dx) {
  check(x_BHWI, weight_O33I);
  const int64_t in = weight_O33I.size(3), out = weight_O33I.size(0);
  const ProfileScope timed("convolution gradient", (wants_dx ? 2 : 1) * plain_flops(x_BHWI, out), 0,
                           in, out);
  ConvGradients gradients;
  // dx is the convolution of dy with flipped taps and exchanged channels.
  if (wants_dx) {
    gradients.dx_BHWI =
        convolve(isa, dy_BHWO, transformed_weight(weight_O33I.flip({1, 2}).permute({3, 1, 2, 0})));
  }
  const Tiles tiles(x_BHWI);
  at::Tensor dweight_36OI = at::zeros({kPlaces, out, in}, x_BHWI.options());
  const Matrices inputs(tiles, in, x_BHWI.options()), outputs(tiles, out, x_BHWI.options());
  tiles.for_each_band([&](int64_t first, int64_t n) {
    transform(isa, TransformKind::kInput, x_BHWI, inputs.of(n), first);
    transform(isa, TransformKind::kGradient, dy_BHWO, outputs.of(n), first);
    dweight_36OI.baddbmm_(outputs.of(n).transpose(1, 2), inputs.of(n));
  });
  gradients.dweight_O33I = adjoint_of_weight(dweight_36OI);
  return gradients;
}

}  // namespace fcm::ops
