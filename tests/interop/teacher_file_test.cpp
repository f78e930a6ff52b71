// Teacher files as published, with other prefixes and tensors, and with faults: only the image
// tower is read.
#include "fcm/interop/teacher_file.h"

#include <cstring>

#include "fcm/formats/safetensors.h"
#include "fcm/interop/tower_names.h"
#include "tests/formats/pth_support.h"
#include "tests/support/error_of.h"
#include "tests/support/scratch.h"
#include "tests/support/tower_files.h"

namespace fcm::interop {
namespace {

using namespace formats;

std::vector<std::string> sorted_names_of(const formats::TensorFile& file) {
  std::vector<std::string> names;
  for (const formats::TensorView& tensor : file.tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  return names;
}

// Files of small towers under changed names. tests/tasks/teachers_test.cpp tests every layout.
class TeacherFiles : public testing::Test {
 protected:
  fs::path write(const test::Named& named) {
    const fs::path path = folder_ / "teacher.safetensors";
    test::write_tensors(path, named);
    return path;
  }
  static test::Named dino(const std::string& front = "") {
    test::PlainTower tower;  // defaults: the parts of DINO's tower
    test::fill(tower);
    test::TowerLayout layout;
    layout.front = front;
    return test::as_written(tower, layout);
  }

 private:
  const test::Scratch folder_;
};

TEST_F(TeacherFiles, AsPublished) {
  const fs::path folder = stored_files() / "teachers";
  if (!fs::exists(folder)) GTEST_SKIP() << "no " << folder;
  const formats::TensorFile wanted =
      formats::read_safetensors(folder / "dino_tiny.golden.safetensors");
  for (const char* name : {"dino_tiny.pth", "dino_tiny_full.pth"}) {
    const TeacherFile teacher = read_teacher(folder / name);
    EXPECT_EQ(teacher.options.kind, targets::TeacherKind::kDino);
    EXPECT_EQ(teacher.model.tensors.size(), 78U);
    for (const formats::TensorView& tensor : teacher.model.tensors) {
      const formats::TensorView* const stored = wanted.find("state." + tensor.name);
      ASSERT_NE(stored, nullptr) << tensor.name;
      EXPECT_EQ(tensor.shape, stored->shape) << tensor.name;
      EXPECT_TRUE(std::ranges::equal(tensor.bytes, stored->bytes)) << tensor.name;
    }
  }
  const TeacherFile clip = read_teacher(folder / "clip_tiny_fp16.pt");
  EXPECT_EQ(clip.options.kind, targets::TeacherKind::kClip);
  std::vector<std::string> names{"patch_embed.proj.bias"};
  for (const std::string& name :
       sorted_names_of(formats::read_safetensors(folder / "clip_tiny_fp16.expected.safetensors"))) {
    names.push_back(name_in_tower(name.substr(std::string("visual.").size())).value_or(name));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(sorted_names_of(clip.model), names);
}

TEST_F(TeacherFiles, PrefixesAndWhatIsNotTheTower) {
  const std::vector<std::string> names = sorted_names_of(read_teacher(write(dino())).model);
  test::Named wrapped = dino("module.backbone.");
  wrapped["module.head.last_layer.bias"] = at::zeros({3});
  EXPECT_EQ(sorted_names_of(read_teacher(write(wrapped)).model), names);
  test::Named training = dino("student.module.backbone.");
  at::manual_seed(2);
  for (const auto& [name, value] : dino("teacher.backbone.")) training[name] = value + 1;
  const TeacherFile teacher = read_teacher(write(training));
  EXPECT_EQ(sorted_names_of(teacher.model), names);
  const std::span<const std::byte> bytes = teacher.model.find("norm.bias")->bytes;
  const at::Tensor wanted = training.at("teacher.backbone.norm.bias").to(at::kFloat);
  EXPECT_EQ(std::memcmp(bytes.data(), wanted.const_data_ptr(), bytes.size()), 0);
  ASSERT_GE(teacher.remarks.size(), 2U);
  EXPECT_NE(teacher.remarks[0].find("using teacher.backbone., not student.module.backbone."),
            std::string::npos)
      << teacher.remarks[0];
}

TEST_F(TeacherFiles, PartsThatNoTeacherHasAreNamed) {
  for (const auto& [name, sentence] :
       {std::pair{"blocks.0.mlp.w12.weight", "gated MLPs (SwiGLU), as DINOv2's giant has"},
        std::pair{"blocks.0.mlp.weights_in.weight", "gated MLPs (SwiGLU), as DINOv2's giant has"},
        std::pair{"blocks.0.mlp.gate_proj.weight", "gated MLPs (SwiGLU), as DINOv3's"},
        std::pair{"blocks.0.attn.q_norm.weight", "norms of queries and keys"}}) {
    test::Named named = dino();
    named[name] = at::zeros({4, 4});
    const std::string message =
        test::error_of(ExitCode::kCheckpoint, [&] { read_teacher(write(named)); });
    EXPECT_NE(message.find(sentence), message.npos) << name << ": " << message;
  }
}

TEST_F(TeacherFiles, WhatIsRefused) {
  const std::string other = error_of([&] {
    read_teacher(write({{"cls_token", at::zeros({4})}, {"conv.weight", at::zeros({4})}}));
  });
  EXPECT_NE(other.find("none of its 2 tensors"), std::string::npos) << other;
  const std::string twice = error_of([&] {
    test::Named named = dino();
    named["register_tokens"] = named["reg_token"] = at::zeros({1, 4, 32});
    read_teacher(write(named));
  });
  EXPECT_NE(twice.find("get the name reg_token"), std::string::npos) << twice;
}

}  // namespace
}  // namespace fcm::interop
