// A block takes a group, 256 boxes per round, one per thread. A thread compares its box first with
// the group's kept boxes so far, which pass through shared memory, then with the later boxes of the
// round, which gives a row of bits. One warp goes through the rows in order: the boxes marked in
// the row of a kept box are dropped. Memory is one list of kept boxes, not a square matrix of bits.
#include "fcm/ops/cuda/rounded_product.h"
#include "fcm/ops/cuda/vector.h"
#include "fcm/ops/nms/cuda.h"

namespace fcm::ops {
namespace {

constexpr int kBoxes = 256;  // of a round; one per thread
constexpr int kWordBits = 32, kRowWords = kBoxes / kWordBits;

template <class A>
struct CudaBox {
  A x0, y0, x1, y1, area;
};

__device__ inline int bits_set(uint32_t word) {
#if defined(__CUDACC__)
  return __popc(word);
#else
  return __builtin_popcount(word);
#endif
}

template <class A>
__device__ inline CudaBox<A> box_at(const A* planes, int64_t plane, int64_t i) {
  return {planes[i], planes[plane + i], planes[2 * plane + i], planes[3 * plane + i],
          planes[4 * plane + i]};
}

template <class A>
__device__ inline A positive(A x) {
  return x > 0 ? x : 0;
}

template <class A>
__device__ inline bool drops(const CudaBox<A>& one, const CudaBox<A>& other, A threshold) {
  const A left = one.x0 > other.x0 ? one.x0 : other.x0;
  const A top = one.y0 > other.y0 ? one.y0 : other.y0;
  const A right = one.x1 < other.x1 ? one.x1 : other.x1;
  const A bottom = one.y1 < other.y1 ? one.y1 : other.y1;
  const A shared = rounded_product(positive(right - left), positive(bottom - top));
  const A whole = (one.area + other.area) - shared;
  return shared / whole > threshold;
}

// Shared memory of a block.
template <class A>
struct Round {
  CudaBox<A> boxes[kBoxes];
  uint32_t rows[kBoxes][kRowWords];  // bit j of row i: i drops j, j > i
  uint32_t gone[kRowWords];
  uint8_t dropped[kBoxes];  // by boxes kept in earlier rounds
};

// Whether a box kept in an earlier round drops this one. All threads call it.
template <class A>
__device__ inline bool dropped_before(const NmsCuda<A>& a, int64_t begin, int64_t kept, bool is_box,
                                      const CudaBox<A>& box, Round<A>& round) {
  const auto thread = static_cast<int>(threadIdx.x);
  bool dropped = false;
  for (int64_t first = 0; first < kept; first += kBoxes) {
    const int64_t left = kept - first;
    const int count = left < kBoxes ? static_cast<int>(left) : kBoxes;
    __syncthreads();
    if (thread < count) round.boxes[thread] = box_at(a.kept, a.plane, begin + first + thread);
    __syncthreads();
    for (int k = 0; k < count && is_box && !dropped; ++k) {
      dropped = drops(round.boxes[k], box, a.threshold);
    }
  }
  return dropped;
}

// Determines which boxes of the round are dropped. Only the first warp calls it.
template <class A>
__device__ inline void walk_rows(int count, Round<A>& round) {
  const auto lane = static_cast<int>(threadIdx.x);
  uint32_t gone = 0;
  if (lane < kRowWords) {
    for (int bit = 0; bit < kWordBits; ++bit) {
      gone |= static_cast<uint32_t>(round.dropped[lane * kWordBits + bit]) << bit;
    }
  }
  for (int i = 0; i < count; ++i) {
    const uint32_t word = __shfl_sync(0xffffffffu, gone, i / kWordBits);
    const bool keep = (word >> (i % kWordBits) & 1u) == 0;
    if (keep && lane < kRowWords) gone |= round.rows[i][lane];
  }
  if (lane < kRowWords) round.gone[lane] = gone;
}

template <class A>
__global__ void __launch_bounds__(kBoxes) keep_boxes(NmsCuda<A> a) {
  auto& round = *static_cast<Round<A>*>(shared_memory());
  const auto thread = static_cast<int>(threadIdx.x);
  const int64_t begin = a.starts[blockIdx.x], end = a.starts[blockIdx.x + 1];
  int64_t kept = 0;
  for (int64_t first = begin; first < end; first += kBoxes) {
    const int count = end - first < kBoxes ? static_cast<int>(end - first) : kBoxes;
    const bool is_box = thread < count;
    CudaBox<A> box{};
    if (is_box) box = box_at(a.boxes, a.plane, first + thread);
    const bool dropped = dropped_before(a, begin, kept, is_box, box, round);
    __syncthreads();
    round.boxes[thread] = box;
    round.dropped[thread] = dropped || !is_box ? 1 : 0;
    __syncthreads();
    for (int word = 0; word < kRowWords; ++word) {
      uint32_t bits = 0;
      for (int bit = 0; bit < kWordBits; ++bit) {
        const int other = word * kWordBits + bit;
        if (other <= thread || other >= count) continue;
        if (drops(box, round.boxes[other], a.threshold)) bits |= 1u << bit;
      }
      round.rows[thread][word] = bits;
    }
    __syncthreads();
    if (thread < kWarp) walk_rows(count, round);
    __syncthreads();
    int before = 0, all = 0;  // kept boxes before this one, and in the whole round
    bool keep = false;
    for (int word = 0; word < kRowWords; ++word) {
      const uint32_t left = ~round.gone[word];
      const int place = thread - word * kWordBits;
      if (place >= kWordBits) before += bits_set(left);
      if (place >= 0 && place < kWordBits) {
        before += bits_set(left & ((1u << place) - 1u));
        keep = (left >> place & 1u) != 0;
      }
      all += bits_set(left);
    }
    if (is_box) a.keep[first + thread] = keep ? 1 : 0;
    if (keep) {
      A* to = a.kept + begin + kept + before;
      to[0] = box.x0;
      to[a.plane] = box.y0;
      to[2 * a.plane] = box.x1;
      to[3 * a.plane] = box.y1;
      to[4 * a.plane] = box.area;
    }
    kept += all;
    __syncthreads();
  }
}

template <class A>
void run(const NmsCuda<A>& pass, CudaStream stream) {
  launch({"nms", pass.groups, 1, kBoxes, sizeof(Round<A>), stream}, keep_boxes<A>, pass);
}

}  // namespace

void nms_cuda(const NmsCuda<float>& pass, CudaStream stream) { run(pass, stream); }
void nms_cuda(const NmsCuda<double>& pass, CudaStream stream) { run(pass, stream); }

}  // namespace fcm::ops
