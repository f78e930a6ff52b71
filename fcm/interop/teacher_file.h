// Published files of the image towers that serve as teachers: DINO's backbone or full checkpoint
// (.pth), OpenAI's CLIP (a TorchScript archive, of which only the data is read), and safetensors
// with the same names, as timm and others give them. Links no LibTorch.
#pragma once

#include <filesystem>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/buffer.h"

namespace fcm::interop {

enum class TeacherKind { kDino, kClip };

struct TeacherFile {
  TeacherKind kind = TeacherKind::kDino;
  formats::TensorFile
      model;  // the image tower alone, under its published names ("blocks.0.norm1.weight";
              // "visual.conv1.weight"), in the types of the file
  formats::Buffer copies;  // of tensors that are not contiguous in the file
};

// From a full DINO checkpoint the teacher is taken, which is what the published program evaluates;
// its projection head, CLIP's text tower and numbers are left out. Wrappers are taken off names
// (without_wrappers). Throws Error(kCheckpoint) for a file that holds neither tower, or two tensors
// of one name. Sizes are the model's to check (train::load_model lists all that do not fit).
TeacherFile read_teacher(const std::filesystem::path& path);

}  // namespace fcm::interop
