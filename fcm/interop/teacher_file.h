// Reads files of the image towers that serve as teachers. DINO, DINOv2 and DINOv3: from upstream
// (.pth, also a full checkpoint), transformers or timm. CLIP: OpenAI's TorchScript archive (its
// data only), or from open_clip, transformers or timm. SigLIP: from transformers, timm or
// open_clip. Links no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fcm/formats/buffer.h"
#include "fcm/formats/tensor_file.h"
#include "fcm/targets/teacher_options.h"

namespace fcm::interop {

struct TeacherFile {
  // Kind and sizes from the tensors; everything else from the files beside the weights, or
  // upstream's values for the kind (targets::of_kind). heads: 0 if unknown. rows, cols: image size
  // in pixels of the position table, assumed to be square; 0: no table. projected_dim: 0 without
  // projection.
  targets::TeacherOptions options;
  formats::TensorFile model;  // the image tower alone, with the names of tower_names.h and the
                              // file's dtypes
  std::vector<formats::Buffer> owners;  // memory of tensors that are not in `model.data`
  std::vector<std::string> remarks;     // assumptions and omissions, a sentence each
};

// `path`: a file, recognised by its content, or a folder of weights and configurations, which may
// be in the cache of the Hugging Face hub. Of a full DINO checkpoint the teacher is read, which
// upstream evaluates; of a whole CLIP the image tower. Throws Error(kCheckpoint), with what the
// file holds instead, if it holds no known tower.
TeacherFile read_teacher(const std::filesystem::path& path);

// For tensors that no encoder of this program has. If they are a teacher's, returns "DINOv2 with
// 384 channels, ..., which --teacher dino=FILE takes and --checkpoint does not", else an empty
// text.
std::string describe_teacher(const std::vector<formats::TensorView>& tensors);

}  // namespace fcm::interop
