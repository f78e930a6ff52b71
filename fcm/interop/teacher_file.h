// Files of the image towers that serve as teachers, in any common format: DINO, DINOv2 and DINOv3
// from upstream (.pth, also a full checkpoint), transformers or timm; CLIP as OpenAI's TorchScript
// archive (only its data is read), from open_clip, transformers or timm; SigLIP from transformers,
// timm or open_clip. Links no LibTorch.
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
  // Kind and sizes from the tensors; everything else from the files beside them, or upstream's
  // values for the kind (targets::of_kind). heads: 0 if unknown. rows, cols: of the position table,
  // assumed to be square; 0: no table. projected_dim: 0 without projection.
  targets::TeacherOptions options;
  formats::TensorFile model;  // the image tower alone, under its names here (tower_names.h), in the
                              // types of the file
  std::vector<formats::Buffer> owners;  // bytes of tensors that differ from the file's
  std::vector<std::string> remarks;     // assumptions and omissions, a sentence each
};

// `path`: a file, recognised by its content, or a folder of weights and configurations, also of the
// hub's cache. From a full DINO checkpoint it takes the teacher, which upstream evaluates; from a
// whole CLIP the image tower. Throws Error(kCheckpoint), with what the file holds instead, if it
// holds no known tower.
TeacherFile read_teacher(const std::filesystem::path& path);

// For tensors that no encoder here matches: "DINOv2 with 384 channels, ..., which --teacher
// dino=FILE takes and --checkpoint does not" if they are a teacher's, else empty.
std::string as_teacher(const std::vector<formats::TensorView>& tensors);

}  // namespace fcm::interop
