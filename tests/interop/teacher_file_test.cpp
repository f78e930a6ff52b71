// Files of teachers in every layout: the image tower and nothing else comes out.
#include "fcm/interop/teacher_file.h"

#include <map>

#include "fcm/formats/safetensors.h"
#include "tests/formats/pth_support.h"
#include "tests/support/scratch.h"

namespace fcm::interop {
namespace {

using namespace formats;

std::vector<std::string> sorted_names_of(const formats::TensorFile& file) {
  std::vector<std::string> names;
  for (const formats::TensorView& tensor : file.tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  return names;
}

// A safetensors file of one-element tensors.
class TeacherFiles : public testing::Test {
 protected:
  fs::path write(const std::vector<std::string>& names) {
    static const std::array<std::byte, 4> value{};
    std::vector<formats::TensorView> tensors;
    for (const std::string& name : names) tensors.push_back({name, "F32", {1}, value});
    const fs::path path = folder_ / "teacher.safetensors";
    formats::write_safetensors(path, tensors, {});
    return path;
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
    EXPECT_EQ(teacher.kind, TeacherKind::kDino);
    EXPECT_EQ(teacher.model.tensors.size(), 78U);
    for (const formats::TensorView& tensor : teacher.model.tensors) {
      const formats::TensorView* const stored = wanted.find("state." + tensor.name);
      ASSERT_NE(stored, nullptr) << tensor.name;
      EXPECT_EQ(tensor.shape, stored->shape) << tensor.name;
      EXPECT_TRUE(std::ranges::equal(tensor.bytes, stored->bytes)) << tensor.name;
    }
  }
  const TeacherFile clip = read_teacher(folder / "clip_tiny_fp16.pt");
  EXPECT_EQ(clip.kind, TeacherKind::kClip);
  EXPECT_EQ(
      sorted_names_of(clip.model),
      sorted_names_of(formats::read_safetensors(folder / "clip_tiny_fp16.expected.safetensors")));
}

TEST_F(TeacherFiles, PrefixesAndWhatIsNotTheTower) {
  const std::vector<std::string> dino{"cls_token", "patch_embed.proj.weight"};
  EXPECT_EQ(sorted_names_of(
                read_teacher(write({"module.backbone.cls_token", "module.head.last_layer.bias",
                                    "module.backbone.patch_embed.proj.weight"}))
                    .model),
            dino);
  EXPECT_EQ(sorted_names_of(read_teacher(write({"teacher.backbone.cls_token",
                                                "teacher.backbone.patch_embed.proj.weight",
                                                "student.module.backbone.cls_token"}))
                                .model),
            dino);
  const TeacherFile clip = read_teacher(
      write({"logit_scale", "positional_embedding", "visual.class_embedding", "visual.proj"}));
  EXPECT_EQ(clip.kind, TeacherKind::kClip);
  EXPECT_EQ(sorted_names_of(clip.model),
            (std::vector<std::string>{"visual.class_embedding", "visual.proj"}));
}

TEST_F(TeacherFiles, WhatIsRefused) {
  const std::string other = error_of([&] { read_teacher(write({"cls_token", "conv.weight"})); });
  EXPECT_NE(other.find("none of its 2 tensors"), std::string::npos) << other;
  const std::string twice = error_of([&] {
    read_teacher(write({"cls_token", "module.cls_token", "patch_embed.proj.weight"}));
  });
  EXPECT_NE(twice.find("come to the name cls_token"), std::string::npos) << twice;
}

}  // namespace
}  // namespace fcm::interop
