// The CPU kernels of conv3x3: transforms between maps and tiles of Winograd's F(4x4, 3x3). One
// table of functions on raw pointers per instruction set.
#pragma once

#include <stdint.h>

namespace fcm::ops {

// The tiles [first, first + count) of a batch of maps [images, rows, cols, channels], numbered
// image by image in raster order. A tile is 4 x 4 outputs and the 6 x 6 inputs that they read;
// positions outside the map read as 0 and are not written. The transformed side is 36 matrices
// [count, channels], one per tile position, `matrix` elements apart.
template <class T>
struct MapTiles {
  int64_t rows, cols, channels;
  int64_t first, count;
  int64_t matrix;
  const T* from;
  T* to;
};

struct Conv3x3Kernels {
  // B^T d B: inputs of a map -> matrices.
  void (*input_float)(const MapTiles<float>&);
  void (*input_double)(const MapTiles<double>&);
  // A^T m A: matrices -> outputs of a map.
  void (*output_float)(const MapTiles<float>&);
  void (*output_double)(const MapTiles<double>&);
  // A dy A^T: gradients of a map's outputs -> matrices.
  void (*gradient_float)(const MapTiles<float>&);
  void (*gradient_double)(const MapTiles<double>&);
};

extern const Conv3x3Kernels conv3x3_plain;
extern const Conv3x3Kernels conv3x3_avx2;
extern const Conv3x3Kernels conv3x3_avx512;

}  // namespace fcm::ops
