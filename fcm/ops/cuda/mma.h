// Small matrix products in bfloat16 with float32 accumulation, computed by the 32 lanes of a warp
// together. For kernel files. With group = lane / 4 and pair = lane % 4, a lane holds pairs of
// adjacent elements:
//   A (16 x 16)  a[0]: row group, columns 2 pair and 2 pair + 1; a[1]: 8 rows below;
//                a[2], a[3]: 8 columns further
//   B (16 x 8)   b[0]: column group, rows 2 pair and 2 pair + 1; b[1]: 8 rows below
//   D (16 x 8)   d[0], d[1]: row group, columns 2 pair and 2 pair + 1; d[2], d[3]: 8 rows below
// Two D tiles side by side, rounded in pairs, therefore form an A tile.
#pragma once

#include "fcm/ops/cuda/vector.h"

namespace fcm::ops {

#if defined(__CUDACC__)

// D += A * B.
__device__ inline void multiply_tiles(float (&d)[4], const uint32_t (&a)[4],
                                      const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Loads B from shared memory stored row by row: lane n < 16 passes the address of the 8 elements of
// row n, aligned to 16 bytes.
__device__ inline void load_tile_by_rows(uint32_t (&b)[2], const Bfloat16* row) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(b[0]), "=r"(b[1])
               : "r"(address)
               : "memory");
}

#endif

__device__ inline uint32_t load_pair(const Bfloat16* from) {
  const Pack<Bfloat16, 2> pack = load_pack<Bfloat16, 2>(from);
  uint32_t pair;
  memcpy(&pair, &pack, sizeof pair);
  return pair;
}

// Loads B from memory stored column by column: `row` is the column of this lane's group.
__device__ inline void load_tile_by_columns(uint32_t (&b)[2], const Bfloat16* row) {
  const Bfloat16* from = row + 2 * (threadIdx.x % 4);
  b[0] = load_pair(from);
  b[1] = load_pair(from + 8);
}

// Rounds two D tiles side by side into an A tile.
__device__ inline void round_tiles(const float (&left)[4], const float (&right)[4],
                                   uint32_t (&a)[4]) {
  a[0] = round_pair(left[0], left[1]);
  a[1] = round_pair(left[2], left[3]);
  a[2] = round_pair(right[0], right[1]);
  a[3] = round_pair(right[2], right[3]);
}

}  // namespace fcm::ops
