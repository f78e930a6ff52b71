#include "fcm/interop/batch_counts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "fcm/base/error.h"

namespace fcm::interop {
namespace {

using formats::TensorView;

bool is_integer_count(const TensorView& tensor) {
  return tensor.name.ends_with(kBatchesSeen) && tensor.dtype == "I64" && tensor.shape.empty() &&
         tensor.bytes.size() == sizeof(int64_t);
}

}  // namespace

bool is_statistic(std::string_view name) {
  return name.ends_with(".running_mean") || name.ends_with(".running_var") ||
         name.ends_with(kBatchesSeen);
}

formats::Buffer counts_as_floats(std::vector<TensorView>& tensors) {
  const auto counts = std::count_if(tensors.begin(), tensors.end(), is_integer_count);
  formats::Buffer floats(static_cast<size_t>(counts) * sizeof(float));
  size_t at = 0;
  for (TensorView& tensor : tensors) {
    if (!is_integer_count(tensor)) continue;
    int64_t count = 0;
    std::memcpy(&count, tensor.bytes.data(), sizeof count);
    const auto value = static_cast<float>(count);
    std::memcpy(floats.data() + at, &value, sizeof value);
    tensor.dtype = "F32";
    tensor.bytes = std::as_const(floats).bytes().subspan(at, sizeof value);
    at += sizeof value;
  }
  return floats;
}

int64_t whole_count(const TensorView& tensor, const std::string& path) {
  float value = 0;
  require(tensor.dtype == "F32" && tensor.bytes.size() == sizeof value,
          "{}: expected a count in float32, got {} of {} bytes", tensor.name, tensor.dtype,
          tensor.bytes.size());
  std::memcpy(&value, tensor.bytes.data(), sizeof value);
  constexpr float kMost = 9e15F;  // exact as float64, far below the largest int64
  if (!(value >= 0 && value <= kMost) || value != std::floor(value)) {
    fail(ExitCode::kCheckpoint, "{}: {} is {}, which is not a count of batches", path, tensor.name,
         value);
  }
  return static_cast<int64_t>(value);
}

}  // namespace fcm::interop
