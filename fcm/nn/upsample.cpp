#include "fcm/nn/upsample.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace fcm::nn {

std::vector<LinearTap> bilinear_taps(int64_t in, int64_t out) {
  std::vector<LinearTap> taps(static_cast<size_t>(out));
  const double step = static_cast<double>(in) / static_cast<double>(out);
  for (int64_t d = 0; d < out; ++d) {
    const double source = std::max((static_cast<double>(d) + 0.5) * step - 0.5, 0.0);
    const int64_t first = std::min(static_cast<int64_t>(source), in - 1);
    taps[static_cast<size_t>(d)] = {first, std::min(first + 1, in - 1),
                                    source - static_cast<double>(first)};
  }
  return taps;
}

at::Tensor bilinear_matrix(int64_t in, int64_t out) {
  at::Tensor matrix = at::zeros({out, in}, at::kDouble);
  auto* row = matrix.mutable_data_ptr<double>();
  for (const LinearTap& tap : bilinear_taps(in, out)) {
    row[tap.first] += 1 - tap.share;
    row[tap.second] += tap.share;
    row += in;
  }
  return matrix;
}

at::Tensor pooling_matrix(int64_t in, int64_t out) {
  at::Tensor matrix = at::zeros({out, in}, at::kDouble);
  auto* row = matrix.mutable_data_ptr<double>();
  for (int64_t bin = 0; bin < out; ++bin, row += in) {
    const int64_t begin = bin * in / out, end = ((bin + 1) * in + out - 1) / out;
    std::fill(row + begin, row + end, 1 / static_cast<double>(end - begin));
  }
  return matrix;
}

at::Tensor resampled(const at::Tensor& x_BHWC, const at::Tensor& rows_RH,
                     const at::Tensor& columns_SW) {
  const int64_t batch = x_BHWC.size(0), height = x_BHWC.size(1), width = x_BHWC.size(2),
                channels = x_BHWC.size(3);
  const int64_t rows = rows_RH.size(0), columns = columns_SW.size(0);
  const auto type = at::promote_types(x_BHWC.scalar_type(), at::kFloat);
  const auto options = x_BHWC.options().dtype(type);
  const at::Tensor x = x_BHWC.to(type).reshape({batch * height, width, channels});
  const at::Tensor wide =
      at::bmm(columns_SW.to(options).expand({batch * height, columns, width}), x)
          .view({batch, height, columns * channels});
  return at::bmm(rows_RH.to(options).expand({batch, rows, height}), wide)
      .view({batch, rows, columns, channels})
      .to(x_BHWC.scalar_type());
}

at::Tensor upsample(const at::Tensor& x_BHWC, int64_t rows, int64_t cols) {
  if (x_BHWC.size(1) == rows && x_BHWC.size(2) == cols) return x_BHWC;
  return resampled(x_BHWC, bilinear_matrix(x_BHWC.size(1), rows),
                   bilinear_matrix(x_BHWC.size(2), cols));
}

at::Tensor adaptive_pool(const at::Tensor& x_BHWC, int64_t side) {
  return resampled(x_BHWC, pooling_matrix(x_BHWC.size(1), side),
                   pooling_matrix(x_BHWC.size(2), side));
}

}  // namespace fcm::nn
