#include "fcm/ops/adamw/op.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/ops/adamw/cuda.h"
#include "fcm/ops/adamw/kernel.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

constexpr int64_t kElementsPerBlock = 1 << 15;

template <class T>
AdamWChunk<T> whole(const AdamWBuffers& buffers, const AdamWFactors& factors) {
  AdamWChunk<T> chunk{};
  chunk.count = buffers.value_E.numel();
  chunk.value = buffers.value_E.data_ptr<T>();
  chunk.first = buffers.first_E.data_ptr<T>();
  chunk.second = buffers.second_E.data_ptr<T>();
  chunk.gradient = buffers.gradient_E.const_data_ptr<T>();
  chunk.gradient_scale = static_cast<T>(factors.gradient_scale);
  chunk.beta1 = static_cast<T>(factors.beta1);
  chunk.beta2 = static_cast<T>(factors.beta2);
  chunk.one_minus_beta1 = static_cast<T>(1 - factors.beta1);
  chunk.one_minus_beta2 = static_cast<T>(1 - factors.beta2);
  chunk.root_correction = static_cast<T>(factors.root_correction);
  chunk.epsilon = static_cast<T>(factors.epsilon);
  return chunk;
}

// The part of `segment` within [begin, end) of the flat buffers; count 0 if they do not overlap.
template <class T>
AdamWChunk<T> part(AdamWChunk<T> chunk, const AdamWSegment& segment, int64_t begin, int64_t end) {
  const int64_t from = std::max(segment.begin, begin), to = std::min(segment.end, end);
  chunk.count = std::max<int64_t>(to - from, 0);
  chunk.value += from;
  chunk.first += from;
  chunk.second += from;
  chunk.gradient += from;
  chunk.rate = static_cast<T>(segment.rate);
  chunk.decay = static_cast<T>(segment.decay);
  return chunk;
}

// One pass: threads take fixed-size blocks of the buffers, independent of segments.
template <class T>
void run(void (*kernel)(const AdamWChunk<T>&), const AdamWChunk<T>& all,
         std::span<const AdamWSegment> segments) {
  const Blocks blocks = make_blocks(all.count, kElementsPerBlock);
  for_each_block(blocks, [&](int64_t block) {
    const int64_t begin = blocks.begin(block), end = begin + blocks.size(block);
    for (const AdamWSegment& segment : segments) {
      const AdamWChunk<T> chunk = part(all, segment, begin, end);
      if (chunk.count > 0) kernel(chunk);
    }
  });
}

// A copy of `values` as bytes, on the device of `like`.
template <class V>
at::Tensor bytes_beside(const at::Tensor& like, std::span<const V> values) {
  const at::Tensor bytes = at::empty({static_cast<int64_t>(values.size_bytes())}, at::kByte);
  std::copy_n(reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes(),
              bytes.mutable_data_ptr<uint8_t>());
  return bytes.to(like.device());
}

// Copies factors and segments to the GPU in each call. A step captured in a CUDA graph instead
// keeps them in GPU memory (cuda.h).
template <class T>
void run_on_cuda(const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
                 const AdamWFactors& factors) {
  std::vector<AdamWSegment> ordered(segments.begin(), segments.end());
  std::sort(ordered.begin(), ordered.end(),
            [](const AdamWSegment& a, const AdamWSegment& b) { return a.begin < b.begin; });
  const at::Tensor& value = buffers.value_E;
  const at::Tensor there = bytes_beside<AdamWSegment>(value, ordered);
  const at::Tensor factors_there = bytes_beside<AdamWFactors>(value, {&factors, 1});
  AdamWUpdate<T> update{};
  update.count = value.numel();
  update.value = value.data_ptr<T>();
  update.first = buffers.first_E.data_ptr<T>();
  update.second = buffers.second_E.data_ptr<T>();
  update.gradient = buffers.gradient_E.const_data_ptr<T>();
  update.segments = static_cast<const AdamWSegment*>(there.const_data_ptr());
  update.segment_count = static_cast<int64_t>(ordered.size());
  update.factors = static_cast<const AdamWFactors*>(factors_there.const_data_ptr());
  adamw_update_cuda(update, cuda_stream_for(value));
}

void check_adamw(const AdamWBuffers& buffers, std::span<const AdamWSegment> segments) {
  const at::Tensor& value = buffers.value_E;
  require(value.scalar_type() == at::kFloat || value.scalar_type() == at::kDouble,
          "adamw: expected float32 or float64, got {}", at::toString(value.scalar_type()));
  for (const at::Tensor& other : {value, buffers.first_E, buffers.second_E, buffers.gradient_E}) {
    require(other.dim() == 1 && other.sizes() == value.sizes() && other.is_contiguous() &&
                other.scalar_type() == value.scalar_type(),
            "adamw: expected contiguous vectors of one length and type, got [{}] {} and "
            "[{}] {} (the latter contiguous: {})",
            fmt::join(value.sizes(), ", "), at::toString(value.scalar_type()),
            fmt::join(other.sizes(), ", "), at::toString(other.scalar_type()),
            other.is_contiguous());
  }
  for (const AdamWSegment& segment : segments) {
    require(segment.begin >= 0 && segment.end <= value.numel(),
            "adamw: got segment [{}, {}), expected one within the {} elements", segment.begin,
            segment.end, value.numel());
  }
}

}  // namespace

void adamw_with(Isa isa, const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
                const AdamWFactors& factors) {
  const ProfileScope timed("adamw", 0, 7.0 * static_cast<double>(buffers.value_E.nbytes()));
  check_adamw(buffers, segments);
  if (on_cuda(buffers.value_E, {buffers.first_E, buffers.second_E, buffers.gradient_E}) &&
      buffers.value_E.numel() > 0) {
    return buffers.value_E.scalar_type() == at::kFloat
               ? run_on_cuda<float>(buffers, segments, factors)
               : run_on_cuda<double>(buffers, segments, factors);
  }
  const AdamWKernels& k = pick(isa, adamw_plain, adamw_avx2, adamw_avx512);
  if (buffers.value_E.scalar_type() == at::kFloat) {
    run(k.update_float, whole<float>(buffers, factors), segments);
  } else {
    run(k.update_double, whole<double>(buffers, factors), segments);
  }
}

void adamw(const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
           const AdamWFactors& factors) {
  if (reference_ops()) return adamw_reference(buffers, segments, factors);
  adamw_with(isa(), buffers, segments, factors);
}

}  // namespace fcm::ops
