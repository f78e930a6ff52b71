// Vector accesses to memory, and conversions to the type of the arithmetic: float32, or float64 for
// float64 elements. For kernel files.
#pragma once

#include <math.h>
#include <string.h>

#include "fcm/ops/cuda/launch.h"
#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

template <class T>
struct WideType {
  using Type = float;
};
template <>
struct WideType<double> {
  using Type = double;
};
template <class T>
using Wide = typename WideType<T>::Type;

template <class T>
constexpr int kLanes = 16 / static_cast<int>(sizeof(T));  // elements of a 16-byte access

// N elements that are read or written in one access.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};

// A type that the compiler moves in one instruction. (It may split the access to a Pack.)
template <int kBytes>
struct alignas(kBytes) Words {
  uint32_t at[kBytes / 4];
};
template <>
struct Words<2> {
  uint16_t at;
};
#if defined(__CUDACC__)
template <>
struct Words<16> : uint4 {};
template <>
struct Words<8> : uint2 {};
#endif

__device__ inline float widen(float x) { return x; }
__device__ inline double widen(double x) { return x; }
__device__ inline float widen(Bfloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float wide;
  memcpy(&wide, &bits, sizeof wide);
  return wide;
}

// Two floats rounded to bfloat16, to nearest, ties to even; the first in the lower half.
__device__ inline uint32_t round_pair(float low, float high) {
#if defined(__CUDACC__)
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  const float both[2] = {low, high};
  uint32_t pair = 0;
  for (int i = 0; i < 2; ++i) {
    uint32_t bits;
    memcpy(&bits, &both[i], sizeof bits);
    const bool is_nan = both[i] != both[i];
    const uint32_t half = is_nan ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    pair |= half << (16 * i);
  }
  return pair;
#endif
}

// One access of N elements, aligned to their total size, at most 16 bytes.
template <class T, int N>
__device__ inline Pack<T, N> load_pack(const T* from) {
  static_assert(sizeof(T) * N <= 16);
  check_alignment(from, sizeof(T) * N);
  const auto words = *reinterpret_cast<const Words<sizeof(T) * N>*>(from);
  Pack<T, N> pack;
  memcpy(&pack, &words, sizeof pack);
  return pack;
}

template <class T, int N>
__device__ inline void store_pack(T* to, const Pack<T, N>& pack) {
  static_assert(sizeof(T) * N <= 16);
  check_alignment(to, sizeof(T) * N);
  Words<sizeof(T) * N> words;
  memcpy(&words, &pack, sizeof pack);
  *reinterpret_cast<Words<sizeof(T) * N>*>(to) = words;
}

template <class T, int N>
__device__ inline void widen_all(const Pack<T, N>& pack, Wide<T> (&to)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = widen(pack.at[i]);
}

// N elements in accesses of up to 16 bytes.
template <class T, int N>
__device__ inline void load(const T* from, Wide<T> (&to)[N]) {
  constexpr int kAccess = N < kLanes<T> ? N : kLanes<T>;
#pragma unroll
  for (int first = 0; first < N; first += kAccess) {
    const Pack<T, kAccess> pack = load_pack<T, kAccess>(from + first);
#pragma unroll
    for (int i = 0; i < kAccess; ++i) to[first + i] = widen(pack.at[i]);
  }
}

__device__ inline void narrow(const float& from, Bfloat16& to) {
  to.bits = static_cast<uint16_t>(round_pair(from, 0));
}
__device__ inline void narrow(const float& from, float& to) { to = from; }
__device__ inline void narrow(const double& from, double& to) { to = from; }

template <int N>
__device__ inline Pack<Bfloat16, N> narrow_all(const float (&from)[N], Bfloat16) {
  Pack<Bfloat16, N> pack;
  if constexpr (N == 1) {
    narrow(from[0], pack.at[0]);
  } else {
    uint32_t pairs[N / 2];
#pragma unroll
    for (int i = 0; i < N / 2; ++i) pairs[i] = round_pair(from[2 * i], from[2 * i + 1]);
    memcpy(&pack, pairs, sizeof pack);
  }
  return pack;
}
template <class T, int N>
__device__ inline Pack<T, N> narrow_all(const T (&from)[N], T) {
  Pack<T, N> pack;
#pragma unroll
  for (int i = 0; i < N; ++i) pack.at[i] = from[i];
  return pack;
}

template <class T, int N>
__device__ inline void store(T* to, const Wide<T> (&from)[N]) {
  store_pack<T, N>(to, narrow_all(from, T{}));
}

// x rounded to T and widened again, as by a store and a load.
template <class T>
__device__ inline Wide<T> rounded(Wide<T> x) {
  T narrowed;
  narrow(x, narrowed);
  return widen(narrowed);
}

inline bool aligned(const void* first) { return reinterpret_cast<uintptr_t>(first) % 16 == 0; }

// Whether rows of `channels` elements starting at `first` can be read in 16-byte accesses.
template <class T>
bool aligned_rows(const T* first, int64_t channels) {
  return aligned(first) && channels % kLanes<T> == 0;
}

}  // namespace fcm::ops
