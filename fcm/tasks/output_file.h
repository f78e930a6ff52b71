// Which files a command may replace: only files of the kind that it writes. See CONTRIBUTING.md,
// "How to remove or replace a file".
#pragma once

#include <filesystem>
#include <vector>

namespace fcm::tasks {

enum class FileKind {
  kArray,         // .npy
  kFeatures,      // .safetensors of features and labels
  kWeights,       // any other .safetensors
  kPth,           // a PyTorch file, with either container
  kImagesOfRows,  // F.pictures.tsv, which `features` writes
  kPng,           // a sheet
  kPacked,        // a packed file, which `data pack` writes
  kOnnx,          // an ONNX model that this program wrote
  kPage,          // an HTML page, which `report` writes
};

// Whether an HTML page's generator tag names this program.
bool is_page_of_ours(const std::filesystem::path& page);

// Whether the metadata of a .safetensors file names this program as "producer" or holds a recipe of
// this program as "recipe".
bool is_written_here(const std::filesystem::path& safetensors);

// Throws Error(kUsage) if `out` must not be written. Call it before hours of work. The reasons:
// - its folder does not exist or cannot be written to
// - it exists and `overwrite` is false
// - it is a folder, a link or a device
// - its content is of another kind than `kind` (an empty file is of every kind)
// - it is one of `reads`, the command's inputs
// - it is part of a checkpoint
// - its temporary file, `out`.tmp, exists
void refuse_to_replace(const std::filesystem::path& out, FileKind kind, bool overwrite,
                       const std::vector<std::filesystem::path>& reads);

// Throws Error(kUsage) if the folder `out` can neither be used nor created, because it or the
// folder that would contain it is not a folder or not writable, or because it is a broken link.
void refuse_impossible_folder(const std::filesystem::path& out);

// Throws Error(kUsage) if `file`, which is to be written, is a link, or if its temporary file
// `file`.tmp exists: the remains of an interrupted command cannot be told from a user's file.
void refuse_link_or_temporary(const std::filesystem::path& file);

}  // namespace fcm::tasks
