// Reads and writes PyTorch's .pth files in the zip container of torch >= 1.6; also reads the legacy
// container.
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

// Move-only, since the views point into `storage` and `copies`.
struct PthFile {
  PthFile() = default;
  PthFile(PthFile&&) = default;
  PthFile& operator=(PthFile&&) = default;

  Value root;
  // All tensors, row-major, named by their path ("model.pos_embed", "optimizer.state.0.exp_avg"); a
  // Value::Tensor holds an index into this list. Contiguous tensors of one storage share its bytes.
  std::vector<TensorView> tensors;
  Buffer storage;  // the file
  Buffer copies;   // row-major copies of tensors that are not contiguous in the file
};

// Throws Error(kCheckpoint), which names `path` and the violated rule, or Error(kDevice) if memory
// runs out. Executes no code from the file; memory is bounded by the file's size and the budgets in
// README.md. `threads`: reading threads, at most four; 0: one per core that this process may use.
PthFile read_pth(const std::filesystem::path& path, int64_t threads = 0);
PthFile parse_pth(std::span<const std::byte> bytes, const std::string& name_for_errors);  // copies

// Reads the file and also compares the CRC-32 of each stored member of a zip container, which
// read_pth does not. (The legacy container has none.) Throws as read_pth.
void verify_pth(const std::filesystem::path& path, int64_t threads = 0);

// Writes a zip container that `torch.load(weights_only=True)` reads. Writes a temporary file beside
// `path`, syncs and renames it. `root` must not contain Opaque, nor Namespace or Path, which
// weights_only=True refuses (use Dict and text). Tensor indices refer to `tensors`. Throws
// Error(kCheckpoint).
void write_pth(const std::filesystem::path& path, const Value& root,
               std::span<const TensorView> tensors);

}  // namespace fcm::formats
