// Recognises a file of weights by its first bytes; its name is ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace fcm::formats {

enum class WeightsKind {
  kTorch,        // a zip archive or PyTorch's older container: read_pth
  kSafetensors,  // a header length and "{": read_safetensors
  kOther,
};

// `beginning`: the first bytes of the file; 16 are enough.
WeightsKind weights_kind(std::span<const std::byte> beginning);

// Describes a file of `size` bytes that was expected to hold weights, with advice: "a Git LFS
// pointer: run git lfs pull to fetch the file itself". Reads up to kBeginningBytes of `beginning`.
// Empty: the format is not recognised.
std::string describe_other_format(std::span<const std::byte> beginning, uint64_t size);
inline constexpr size_t kBeginningBytes = 4096;

// The first bytes of a regular file, at most kBeginningBytes. Throws Error(kCheckpoint).
std::string beginning_of(const std::filesystem::path& path);

}  // namespace fcm::formats
