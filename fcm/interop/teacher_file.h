// Published files of the image towers that serve as teachers, whoever wrote them: DINO, DINOv2 and
// DINOv3 as published (.pth, also a full checkpoint), by transformers or by timm; CLIP as OpenAI's
// TorchScript archive (of which only the data is read), by open_clip, transformers or timm; SigLIP
// by transformers, timm or open_clip. Links no LibTorch.
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
  // Kind and sizes out of the tensors; what the files beside them say, or else what is published of
  // the kind (targets::of_kind). heads: 0 where nothing tells. rows, cols: of the table of
  // positions, which is taken to be square; 0: there is none. projected_dim: 0 without projection.
  targets::TeacherOptions options;
  formats::TensorFile model;  // the image tower alone, under its names here (tower_names.h), in the
                              // types of the file
  std::vector<formats::Buffer> owners;  // of tensors that are not in the file as they are here
  std::vector<std::string> remarks;     // what was assumed and what was left out, a sentence each
};

// `path`: a file, told by its content, or a folder of weights and configurations, also of the
// hub's cache. From a full DINO checkpoint the teacher is taken, which is what the published
// program evaluates. Of a whole CLIP the image tower is taken. Throws Error(kCheckpoint) for a file
// that holds no tower that there is here, with what it holds instead.
TeacherFile read_teacher(const std::filesystem::path& path);

// Of tensors that no encoder here has: "DINOv2 with 384 channels, ..., which --teacher dino=FILE
// takes and --checkpoint does not", where they are a teacher; else empty.
std::string as_teacher(const std::vector<formats::TensorView>& tensors);

}  // namespace fcm::interop
