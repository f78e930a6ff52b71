// The kernels of the segmentation loss. `loss` and `best` process one row of pixels, which lies
// between two rows of logits.
#pragma once

#include <stdint.h>

namespace fcm::loss {

// Interpolation of a pixel: (1 - share) of `first` and `share` of `second`.
struct PixelTap {
  int64_t first, second;
  float share;
};

struct PixelRow {
  int64_t classes;
  int64_t in_columns, columns;  // columns of the logits, columns of pixels
  const float *upper, *lower;   // rows of logits, [in_columns, classes]
  float share;                  // weight of the lower row
  const PixelTap* taps;         // [columns]
  float* scratch;               // scratch of [in_columns + 1, padded]
};

struct LossRow {
  PixelRow row;
  const uint8_t* labels;  // [columns]
  float* dmixed;          // scratch, [in_columns, padded], zero before and after; null: no gradient
  float *dupper, *dlower;  // gradients of row.upper and row.lower are added here
  double loss = 0;         // sum over the row
  int64_t correct = 0;
};

struct SegmentationKernels {
  int64_t (*padded)(int64_t classes);  // classes padded to whole vectors
  void (*loss)(LossRow&);
  void (*best)(const PixelRow&, uint8_t* classes);
};

extern const SegmentationKernels segmentation_plain;
extern const SegmentationKernels segmentation_avx2;
extern const SegmentationKernels segmentation_avx512;

}  // namespace fcm::loss
