// Which files a command may replace: those of an earlier such command, and no others.
// CONTRIBUTING.md, "How to remove or replace a file".
#pragma once

#include <filesystem>
#include <vector>

namespace fcm::tasks {

enum class FileKind {
  kArray,         // .npy
  kFeatures,      // .safetensors of features and labels
  kWeights,       // .safetensors of anything else
  kPth,           // PyTorch's, both containers
  kImagesOfRows,  // F.pictures.tsv
  kPng,           // a sheet
  kPacked,        // from data pack
  kOnnx,          // a model that this program wrote
  kPage,          // from report
};

// Whether an HTML page's generator tag names this program.
bool is_page_of_ours(const std::filesystem::path& page);

// Whether the metadata of a .safetensors file names this program.
bool is_written_here(const std::filesystem::path& safetensors);

// Throws Error(kUsage) if `out` must not be written: its folder does not exist or cannot be written
// to (hours of work may come first); it exists and `overwrite` is false; it is a
// folder, a link or a device; its content is of another kind (an empty file is of every kind); it
// is one of `reads`, the command's inputs; it is part of a checkpoint; or the name of its
// temporary, `out`.tmp, is taken.
void refuse_to_replace(const std::filesystem::path& out, FileKind kind, bool overwrite,
                       const std::vector<std::filesystem::path>& reads);

// Throws Error(kUsage) if the folder `out` can neither be used nor created: it, or what would
// contain it, is not a folder or not writable, or it is a link to nothing.
void refuse_impossible_folder(const std::filesystem::path& out);

// Throws Error(kUsage) if `file`, which is to be written, is a link, or if anything exists at its
// temporary's name: the remains of an interrupted command look like a user's file.
void refuse_link_or_temporary(const std::filesystem::path& file);

}  // namespace fcm::tasks
