#include "fcm/formats/strided.h"

#include <algorithm>
#include <cstring>

#include "fcm/base/error.h"

namespace fcm::formats {
namespace {

// The overflow check ignores sizes of 0, so [2^62, 2^62, 0] is refused in any order.
uint64_t count_elements(const std::vector<int64_t>& sizes, const std::string& what) {
  uint64_t elements = 1;
  bool empty = false;
  for (const int64_t size : sizes) {
    empty = empty || size == 0;
    const uint64_t factor = std::max<uint64_t>(1, static_cast<uint64_t>(size));
    if (__builtin_mul_overflow(elements, factor, &elements)) {
      fail(ExitCode::kCheckpoint, "{}: its sizes overflow 64 bits", what);
    }
  }
  return empty ? 0 : elements;
}

bool is_contiguous(const StridedView& view) {
  uint64_t expected = 1;
  for (size_t i = view.sizes.size(); i-- > 0;) {
    if (view.sizes[i] == 1) continue;  // its stride is never used
    if (static_cast<uint64_t>(view.strides[i]) != expected) return false;
    expected *= static_cast<uint64_t>(view.sizes[i]);
  }
  return true;
}

template <size_t kBytes>
void copy_row(const std::byte* from, int64_t count, int64_t stride_bytes, std::byte* to) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * static_cast<int64_t>(kBytes), from + i * stride_bytes, kBytes);
  }
}

}  // namespace

StridedExtent check_strided(const StridedView& view, uint64_t storage_elements,
                            const std::string& what) {
  const auto negative = [](int64_t number) { return number < 0; };
  if (view.sizes.size() != view.strides.size()) {
    fail(ExitCode::kCheckpoint, "{}: {} sizes, but {} strides", what, view.sizes.size(),
         view.strides.size());
  }
  if (view.offset < 0 || std::any_of(view.sizes.begin(), view.sizes.end(), negative) ||
      std::any_of(view.strides.begin(), view.strides.end(), negative)) {
    fail(ExitCode::kCheckpoint, "{}: a negative offset, size or stride", what);
  }
  StridedExtent extent{count_elements(view.sizes, what), true};
  uint64_t end = static_cast<uint64_t>(view.offset);
  if (extent.elements > 0) {
    for (size_t i = 0; i < view.sizes.size(); ++i) {
      uint64_t reach = 0;
      if (__builtin_mul_overflow(static_cast<uint64_t>(view.sizes[i]) - 1,
                                 static_cast<uint64_t>(view.strides[i]), &reach) ||
          __builtin_add_overflow(end, reach, &end)) {
        fail(ExitCode::kCheckpoint, "{}: sizes times strides overflow 64 bits", what);
      }
    }
    extent.contiguous = is_contiguous(view);
    ++end;  // may wrap from 2^64 - 1 to 0; `end - 1` below undoes that
  }
  const bool inside = extent.elements == 0 ? end <= storage_elements : end - 1 < storage_elements;
  if (!inside) {
    fail(ExitCode::kCheckpoint, "{}: it reaches beyond its storage of {} elements", what,
         storage_elements);
  }
  return extent;
}

void copy_strided(const StridedView& view, std::span<const std::byte> storage, size_t element_bytes,
                  std::span<std::byte> target) {
  if (target.empty()) return;
  const auto width = static_cast<int64_t>(element_bytes);
  const size_t outer = view.sizes.empty() ? 0 : view.sizes.size() - 1;
  const int64_t count = view.sizes.empty() ? 1 : view.sizes.back();
  const int64_t step = count > 1 ? view.strides.back() * width : 0;
  const auto copy = element_bytes == 1   ? copy_row<1>
                    : element_bytes == 2 ? copy_row<2>
                    : element_bytes == 4 ? copy_row<4>
                                         : copy_row<8>;
  std::vector<int64_t> index(outer, 0);
  std::byte* to = target.data();
  for (const std::byte* const end = to + target.size(); to != end; to += count * width) {
    int64_t place = view.offset;
    for (size_t i = 0; i < outer; ++i) place += index[i] * view.strides[i];
    copy(storage.data() + place * width, count, step, to);
    for (size_t i = outer; i-- > 0;) {
      if (++index[i] < view.sizes[i]) break;
      index[i] = 0;
    }
  }
}

}  // namespace fcm::formats
