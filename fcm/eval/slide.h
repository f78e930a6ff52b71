// Computes the class map of an image of any size with a network whose input is a window of fixed
// size. Source: ConvMAE's segmentation, test_cfg mode "slide" or "whole" (mmseg/models/segmentors).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace fcm::eval {

struct SlideOptions {
  int64_t crop_rows = 512, crop_cols = 512;
  int64_t stride_rows = 341, stride_cols = 341;
  bool whole = false;  // use one window, the whole image, instead
};

// A part of the image, of the crop's size unless the image is smaller.
struct Window {
  int64_t top = 0, left = 0;
  int64_t rows = 0, cols = 0;
};

// The windows of an image, row by row. The last window of each row and column is shifted so that it
// ends at the image's edge.
std::vector<Window> slide_windows(int64_t rows, int64_t cols, const SlideOptions& options);

// Computes logits [n, h', w', K] from float32 windows [n, h, w, C]. h' and w' are any fraction of h
// and w (a quarter for UperNet). Logits may be on any device and of any floating-point type.
using LogitsOfWindows = std::function<at::Tensor(const at::Tensor& windows_NHWC)>;

// The logits [h, w, K] of all pixels of a normalised image [h, w, C], float32 on the CPU. The
// logits of a window are upsampled to its size (bilinear, align_corners=False), then averaged over
// the windows that contain the pixel. One call of `logits_of` gets at most `batch` windows. If a
// side of the image is shorter than the crop (with `whole`: not a multiple of kWholeMultiple), the
// image is zero-padded at the bottom and right, and the logits of the padding are dropped. Throws
// Error(kNumeric) for non-finite logits.
at::Tensor slide_logits(const at::Tensor& image_HWC, const SlideOptions& options, int64_t batch,
                        const LogitsOfWindows& logits_of);
inline constexpr int64_t kWholeMultiple = 16;

// The class map, uint8 [rows, cols], of an image that was resized from rows x cols. The logits of
// slide_logits are resized to rows x cols (bilinear), and each pixel gets the class with the
// highest logit, the lowest of equal ones. Runs row by row, so the logits of the whole image are
// never in memory, neither at the resized nor at the original size. The result has the same bits
// for any number of threads, and for any `batch` for which `logits_of` gives the same bits.
at::Tensor slide(const at::Tensor& image_HWC, int64_t rows, int64_t cols,
                 const SlideOptions& options, int64_t batch, const LogitsOfWindows& logits_of);

}  // namespace fcm::eval
