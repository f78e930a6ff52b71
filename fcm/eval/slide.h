// The class map of an image of any size, by a network that sees windows of one size: ConvMAE's
// segmentation, test_cfg mode "slide" or "whole" (mmseg/models/segmentors).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace fcm::eval {

struct SlideOptions {
  int64_t crop_rows = 512, crop_cols = 512;
  int64_t stride_rows = 341, stride_cols = 341;
  bool whole = false;  // one window: the whole image, whatever its size
};

// A part of the image; smaller than the crop only if the image is.
struct Window {
  int64_t top = 0, left = 0;
  int64_t rows = 0, cols = 0;
};

// Row by row. The last windows of a row and of a column are shifted back inside the image.
std::vector<Window> slide_windows(int64_t rows, int64_t cols, const SlideOptions& options);

// Logits [n, h', w', K] of windows [n, h, w, C], float32; h' and w' are any fraction of h and w (a
// quarter for UperNet). They may be on a device and of another floating-point type.
using LogitsOfWindows = std::function<at::Tensor(const at::Tensor& windows_NHWC)>;

// Logits [h, w, K] of every pixel of a normalised image [h, w, C], float32 on the CPU: those of a
// window are upsampled to its size (bilinear, align_corners off), then averaged over the windows
// that contain the pixel. One call gets at most `batch` windows. If a side of the image is shorter
// than the crop (whole: not a multiple of kWholeMultiple), it is zero-padded below and to the
// right, and the logits of the padding are cut off. Throws Error(kNumeric) for non-finite logits.
at::Tensor slide_logits(const at::Tensor& image_HWC, const SlideOptions& options, int64_t batch,
                        const LogitsOfWindows& logits_of);
inline constexpr int64_t kWholeMultiple = 16;

// The class map of an image that was resized from rows x cols: uint8 [rows, cols], at every pixel
// the class with the highest logit after slide_logits are resized to that size (bilinear), ties
// going to the lowest class. Runs row by row: logits of whole images never exist, neither at the
// resized nor at the original size. The result has the same bits for any `batch` for which
// `logits_of` gives the same bits, and for any number of threads.
at::Tensor slide(const at::Tensor& image_HWC, int64_t rows, int64_t cols,
                 const SlideOptions& options, int64_t batch, const LogitsOfWindows& logits_of);

}  // namespace fcm::eval
