// What batch normalisation counts and averages, in files. Links no LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/formats/buffer.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

inline constexpr std::string_view kBatchesSeen = ".num_batches_tracked";

// Whether a tensor is what batch normalisation counts or averages, which no optimizer trains.
bool is_statistic(std::string_view name);

// int64 counts of batches become float32, as all values of a model here have one floating type, in
// the bytes that are returned.
formats::Buffer counts_as_floats(std::vector<formats::TensorView>& tensors);

// The count in a tensor of this program as published files have it. Throws Error(kCheckpoint),
// which names `path`, where it is no whole number.
int64_t whole_count(const formats::TensorView& tensor, const std::string& path);

}  // namespace fcm::interop
