#include "fcm/eval/slide_rows.h"

#include <algorithm>
#include <utility>

#include "fcm/base/error.h"

namespace fcm::eval {

SlideRows::SlideRows(WindowsWithLogits windows, int64_t rows, int64_t cols)
    : windows_(std::move(windows)), rows_(rows), cols_(cols) {
  const at::Tensor& first = windows_.logits.front();
  classes_ = first.size(2);
  for (const at::Tensor& one : windows_.logits) {
    require(one.sizes() == first.sizes(), "expected logits of one size for all windows");
  }
  row_taps_ = bilinear_taps(first.size(0), windows_.network_rows);
  col_taps_ = bilinear_taps(first.size(1), windows_.network_cols);
}

void SlideRows::average(int64_t row, float* out_WK, std::vector<float>& scratch) const {
  const int64_t row_size = windows_.logits.front().size(1) * classes_;
  scratch.resize(static_cast<size_t>(row_size + cols_));
  float* const blended = scratch.data();
  float* const counts = blended + row_size;  // windows over each column
  std::fill_n(out_WK, cols_ * classes_, 0.0F);
  std::fill_n(counts, cols_, 0.0F);
  for (size_t i = 0; i < windows_.windows.size(); ++i) {
    const Window& window = windows_.windows[i];
    if (row < window.top || row >= window.top + window.rows) continue;
    const auto* logits = windows_.logits[i].const_data_ptr<float>();
    const BilinearTap& down = row_taps_[static_cast<size_t>(row - window.top)];
    blend(logits + down.low * row_size, logits + down.high * row_size, down.share, row_size,
          blended);
    for (int64_t col = 0; col < window.cols; ++col) {
      const BilinearTap& across = col_taps_[static_cast<size_t>(col)];
      add_blend(blended + across.low * classes_, blended + across.high * classes_, across.share,
                classes_, out_WK + (window.left + col) * classes_);
      counts[window.left + col] += 1;
    }
  }
  for (int64_t col = 0; col < cols_; ++col) {
    if (counts[col] > 1) divide(out_WK + col * classes_, counts[col], classes_);
  }
}

}  // namespace fcm::eval
