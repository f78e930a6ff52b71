// Logits of the pixels of a picture, row by row, from the small logits of the windows over it. Not
// for use outside of slide.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/eval/slide.h"
#include "fcm/eval/slide_axis.h"

namespace fcm::eval {

// Windows of one network, and what it made of them.
struct WindowsWithLogits {
  int64_t network_rows = 0, network_cols = 0;  // the size that logits are brought to
  std::vector<Window> windows;
  std::vector<at::Tensor> logits;  // [h', w', K] each, float32, contiguous, on the CPU
};

// Safe to be read by several threads at once.
class SlideRows {
 public:
  SlideRows(WindowsWithLogits windows, int64_t rows, int64_t cols);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t classes() const { return classes_; }

  // Row `row` of the picture: the mean of the windows that hold a pixel, [cols, classes]. `scratch`
  // keeps its memory from row to row.
  void average(int64_t row, float* out_WK, std::vector<float>& scratch) const;

 private:
  WindowsWithLogits windows_;
  int64_t rows_, cols_, classes_;
  std::vector<BilinearTap> row_taps_, col_taps_;  // of a window
};

}  // namespace fcm::eval
