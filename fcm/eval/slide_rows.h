// Computes the logits of an image's pixels row by row, from the small logits of the windows that
// cover it. Private to slide.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/eval/slide.h"
#include "fcm/eval/slide_axis.h"

namespace fcm::eval {

// The windows of an image, and the network's logits of each.
struct WindowsWithLogits {
  int64_t network_rows = 0, network_cols = 0;  // the size to which logits are upsampled
  std::vector<Window> windows;
  std::vector<at::Tensor> logits;  // [h', w', K] each, float32, contiguous, on the CPU
};

// Calls of const members from several threads are safe.
class SlideRows {
 public:
  SlideRows(WindowsWithLogits windows, int64_t rows, int64_t cols);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t classes() const { return classes_; }

  // Writes the logits [cols, classes] of row `row` of the image: for each pixel the mean over the
  // windows that contain it. Pass the same `scratch` for each row to avoid allocations.
  void average(int64_t row, float* out_WK, std::vector<float>& scratch) const;

 private:
  WindowsWithLogits windows_;
  int64_t rows_, cols_, classes_;
  std::vector<BilinearTap> row_taps_, col_taps_;  // of one window
};

}  // namespace fcm::eval
