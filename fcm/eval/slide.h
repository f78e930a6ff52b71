// The classes of every pixel of a picture of any size, by a network that sees windows of one size:
// ConvMAE's segmentation, test_cfg mode "slide" or "whole" (mmseg/models/segmentors).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace fcm::eval {

struct SlideOptions {
  int64_t crop_rows = 512, crop_cols = 512;
  int64_t stride_rows = 341, stride_cols = 341;
  bool whole = false;  // one window: the picture, whatever its size
};

// A part of the picture, of the crop's size where the picture is as large.
struct Window {
  int64_t top = 0, left = 0;
  int64_t rows = 0, cols = 0;
};

// Row by row. The last ones of a row and of a column are moved back inside the picture.
std::vector<Window> slide_windows(int64_t rows, int64_t cols, const SlideOptions& options);

// Logits [n, h', w', K] of windows [n, h, w, C], float32, of which h' and w' are any share of h and
// w (a quarter as UperNet has it). They may be on a device and of another floating-point type.
using LogitsOfWindows = std::function<at::Tensor(const at::Tensor& windows_NHWC)>;

// Logits [h, w, K] of every pixel of a normalised picture [h, w, C], float32 on the CPU: those of a
// window are brought to its size (bilinear, align_corners off), then averaged over the windows that
// hold the pixel. At most `batch` windows stand in one call. A side of the picture that is shorter
// than the crop (whole: that is no multiple of kWholeMultiple) is continued by zeros, below and to
// the right, and the logits of these are cut off. Throws Error(kNumeric) for logits that are not
// all finite.
at::Tensor slide_logits(const at::Tensor& picture_HWC, const SlideOptions& options, int64_t batch,
                        const LogitsOfWindows& logits_of);
inline constexpr int64_t kWholeMultiple = 16;

// The map of a picture that was resized from rows x cols: uint8 [rows, cols], of every pixel the
// class with the highest logit once those of slide_logits are brought to that size (bilinear), the
// lowest class where several are highest. This goes row by row: logits of whole pictures never
// exist, neither at the resized nor at the original size. The same bits with any `batch` for which
// `logits_of` gives the same bits, and with any number of threads.
at::Tensor slide(const at::Tensor& picture_HWC, int64_t rows, int64_t cols,
                 const SlideOptions& options, int64_t batch, const LogitsOfWindows& logits_of);

}  // namespace fcm::eval
