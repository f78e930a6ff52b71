// What a file is, told by its content, whatever its name ends in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace fcm::formats {

enum class WeightsKind {
  kTorch,        // a zip archive or PyTorch's older container: read_pth
  kSafetensors,  // a length and the beginning of a header: read_safetensors
  kOther,
};

// Of the beginning of a file: 16 bytes are enough.
WeightsKind weights_kind(std::span<const std::byte> beginning);

// What the beginning of a file (up to kBeginningBytes) with `size` bytes in all says that it is,
// for whoever expected weights, with what to do about it: "a Git LFS pointer, not the file itself:
// run git lfs pull". Empty where nothing is known of it.
std::string what_it_is(std::span<const std::byte> beginning, uint64_t size);
inline constexpr size_t kBeginningBytes = 4096;

// The beginning of an ordinary file, at most kBeginningBytes. Throws Error(kCheckpoint).
std::string beginning_of(const std::filesystem::path& path);

}  // namespace fcm::formats
