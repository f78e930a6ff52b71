// What may be replaced where a command writes a file: what an earlier such command left, and no
// other. CONTRIBUTING.md, "How to remove or replace a file".
#pragma once

#include <filesystem>
#include <vector>

namespace fcm::tasks {

enum class FileKind {
  kArray,           // .npy
  kFeatures,        // .safetensors of rows and labels
  kWeights,         // .safetensors of anything else
  kPth,             // PyTorch's, either container
  kPicturesOfRows,  // F.pictures.tsv
  kPng,             // a sheet
  kPacked,          // of data pack
  kOnnx,            // a model that this program wrote
  kPage,            // of report
};

// Whether an HTML page says that this program wrote it.
bool is_page_of_ours(const std::filesystem::path& page);

// Whether a .safetensors file says that this program wrote it.
bool is_written_here(const std::filesystem::path& safetensors);

// Throws Error(kUsage) where `out` must not be written: it holds something and `overwrite` is not
// given; a folder, a link, a device; a file of another kind, told by its content (an empty one is
// of every kind); one of `reads`, which the command reads; a part of a checkpoint; or the
// temporary's name, `out`.tmp, is taken.
void refuse_to_replace(const std::filesystem::path& out, FileKind kind, bool overwrite,
                       const std::vector<std::filesystem::path>& reads);

// Throws Error(kUsage) where `file`, which is to be written, is a link, or where there is anything
// at its temporary's name: what an interrupted command left cannot be told from a file of the
// user's.
void refuse_link_or_temporary(const std::filesystem::path& file);

}  // namespace fcm::tasks
