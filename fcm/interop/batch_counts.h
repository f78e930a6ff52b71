// The statistics of batch normalisation in files. Links no LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/formats/buffer.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

inline constexpr std::string_view kBatchesSeen = ".num_batches_tracked";

// Whether a tensor is a running mean, a running variance or a batch count; no optimizer trains it.
bool is_statistic(std::string_view name);

// Converts int64 batch counts to float32, because all values of a model here have the same floating
// point type. The converted tensors point into the returned buffer.
formats::Buffer counts_as_floats(std::vector<formats::TensorView>& tensors);

// The batch count in a float32 tensor of this program as an integer, as upstream files store it.
// Throws Error(kCheckpoint) that names `path` if it is not a whole number.
int64_t whole_count(const formats::TensorView& tensor, const std::string& path);

}  // namespace fcm::interop
