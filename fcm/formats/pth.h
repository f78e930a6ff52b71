// PyTorch's .pth files, both ways: the zip container of torch >= 1.6 and the older one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "fcm/formats/buffer.h"
#include "fcm/formats/tensor_file.h"
#include "fcm/formats/value.h"

namespace fcm::formats {

// Moved, never copied: the views point into `storage` and `copies`.
struct PthFile {
  PthFile() = default;
  PthFile(PthFile&&) = default;
  PthFile& operator=(PthFile&&) = default;

  Value root;
  // Contiguous, named by where they stand ("model.pos_embed", "optimizer.state.0.exp_avg"); a
  // Value::Tensor holds an index into this list. Two that share a storage share bytes.
  std::vector<TensorView> tensors;
  Buffer storage;  // the file
  Buffer copies;   // tensors that are not contiguous in the file, in row-major order
};

// Throws Error(kCheckpoint), which names `path` and the rule that does not hold. Executes nothing;
// memory is bounded by the file's size and the budgets in README.md. `threads` read, 0: as many as
// this process may use, at most four.
PthFile read_pth(const std::filesystem::path& path, int64_t threads = 0);
PthFile parse_pth(std::span<const std::byte> bytes, const std::string& name_for_errors);  // copies

// Reads the file and compares every CRC-32 a zip container gives, which plain reading does not.
// (The older container has none.) Throws Error(kCheckpoint).
void verify_pth(const std::filesystem::path& path, int64_t threads = 0);

// A zip container that `torch.load(weights_only=True)` reads, written beside `path`, synced and
// renamed. `root` may hold anything but Namespace and Path, which that mode refuses: give them as
// Dict and text. Tensor indices point into `tensors`. Throws Error(kCheckpoint).
void write_pth(const std::filesystem::path& path, const Value& root,
               std::span<const TensorView> tensors);

}  // namespace fcm::formats
