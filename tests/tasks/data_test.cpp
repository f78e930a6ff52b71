// Data sets as commands open them: each note and each refusal is reported once, with its cause.
#include "fcm/tasks/data.h"

#include <gtest/gtest.h>

#include "fcm/base/file.h"
#include "fcm/image/image.h"
#include "fcm/tasks/segmentation_sheets.h"
#include "fcm/tasks/tasks.h"
#include "tests/support/error_of.h"
#include "tests/support/scratch.h"
#include "tests/tasks/scenes.h"

namespace fcm::tasks {
namespace {

using loader::Split;

class TextReporter final : public Reporter {
 public:
  void info(const std::string& line) override { said += line + "\n"; }
  void warn(const std::string& line) override { said += "warning: " + line + "\n"; }
  void progress(const std::string&) override {}
  std::string said;
};

class LabelledDataTest : public testing::Test {
 protected:
  void image(const std::string& name) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    image::write_png(folder_ / name, {8, 8, 3, std::vector<uint8_t>(8 * 8 * 3, 99)});
  }
  std::string list(const std::string& text) const {
    return folder_.write("list.txt", text).string();
  }
  std::string refusal(const std::string& data) {
    return test::error_of(ExitCode::kData,
                          [&] { open_labelled(data, Split::kTrain, {}, reporter_); });
  }
  std::string data() const { return folder_.string(); }

  test::Scratch folder_;
  TextReporter reporter_;
};

TEST_F(LabelledDataTest, WhyThereAreNoLabels) {
  image("train/a/1.png");
  image("val/1.png");
  const std::string message =
      test::error_of(ExitCode::kData, [&] { open_labelled_splits(data(), {}, reporter_); });
  EXPECT_EQ(message, data() + " has no labels, which accuracy needs: " + data() +
                         "/val has 1 image and no class folders; sort them into one folder "
                         "per class");
}

// A split that exists but cannot be read is an error; an absent split is not an error.
TEST_F(LabelledDataTest, AnUnreadableSplitIsAnErrorAnAbsentOneIsNot) {
  image("val/a/1.png");
  EXPECT_EQ(verify_data(data(), {}, reporter_).at("images"), 1);
  std::filesystem::create_symlink("nowhere", folder_ / "train");
  const auto fault = [&] {
    return test::error_of(ExitCode::kData, [&] { verify_data(data(), {}, reporter_); });
  };
  EXPECT_NE(fault().find("train"), std::string::npos) << fault();
  // The other split can still be read.
  EXPECT_EQ(open_images(data(), Split::kVal, {}, reporter_)->size(), 1);
  std::filesystem::remove(folder_ / "train");
  std::filesystem::create_directories(folder_ / "train" / "a");
  folder_.write("train/a/1.heic", std::string("x"));
  EXPECT_NE(fault().find("train"), std::string::npos) << fault();
  const PackRequest request{data(), folder_ / "all.pack", {}, false, {}};
  EXPECT_THROW(pack_data(request, reporter_), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "all.pack"));
}

// In folders of CIFAR records or IDX files too, an unreadable split is an error, and an absent
// split is not.
TEST_F(LabelledDataTest, UnreadableCifarAndIdxFilesAreErrorsOfTheirSplit) {
  const auto fault = [&] {
    return test::error_of(ExitCode::kData, [&] { verify_data(data(), {}, reporter_); });
  };
  const std::string record(3073, '\1');
  folder_.write("data_batch_1.bin", record);
  EXPECT_EQ(verify_data(data(), {}, reporter_).at("images"), 1) << "the absent split is no error";
  folder_.write("test_batch.bin", record.substr(1));
  EXPECT_NE(fault().find("test_batch.bin"), std::string::npos) << fault();
  std::filesystem::remove(folder_ / "data_batch_1.bin");
  std::filesystem::remove(folder_ / "test_batch.bin");
  const std::string images("\0\0\x08\x03\0\0\0\1\0\0\0\1\0\0\0\1x", 17);
  folder_.write("train-images-idx3-ubyte", images);
  EXPECT_EQ(verify_data(data(), {}, reporter_).at("images"), 1);
  folder_.write("t10k-images-idx3-ubyte", images.substr(0, 16));
  EXPECT_NE(fault().find("t10k-images-idx3-ubyte is truncated"), std::string::npos) << fault();
}

image::Image numbers_of(const std::filesystem::path& map) {
  const std::string bytes = read_file(map, ExitCode::kData);
  return image::decode_class_map({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

// Three of the four training maps are unusable, although all images can be read.
TEST_F(LabelledDataTest, MapsAreVerifiedToo) {
  tests::write_scenes(folder_ / "scenes", 4, 1);
  const std::filesystem::path maps = folder_ / "scenes" / "annotations" / "training";
  const auto bad = [&] {
    return verify_data((folder_ / "scenes").string(), {}, reporter_)
        .at("bad_labels")
        .get<int64_t>();
  };
  EXPECT_EQ(bad(), 0);
  const image::Image good = numbers_of(maps / "000.png");
  image::Image other = good;
  other.pixels[7] = 9;
  image::write_png(maps / "000.png", other);
  image::write_png(maps / "001.png", {2, 3, 1, std::vector<uint8_t>(6, 1)});
  std::ofstream(maps / "002.png") << "no picture";
  EXPECT_EQ(bad(), 3);
  EXPECT_NE(reporter_.said.find("000.png: its map has the class 9, and there are 6 classes"),
            std::string::npos)
      << reporter_.said;
  EXPECT_NE(reporter_.said.find("001.png: its map has 2 x 3 pixels"), std::string::npos)
      << reporter_.said;
}

// Binary masks with the values 0 and 255: 255 is always ignored, and reduce_zero_label ignores 0,
// so no class is left.
TEST_F(LabelledDataTest, MapsWithoutAClassAreRefused) {
  tests::write_scenes(folder_ / "scenes", 3, 1);
  const auto scenes = [&] {
    return loader::open_dataset((folder_ / "scenes").string(), Split::kTrain,
                                {.wanted = loader::TargetKind::kMap});
  };
  recipe::Recipe recipe;
  recipe.task = recipe::Segment{};
  EXPECT_NO_THROW(refuse_maps_without_classes(recipe, *scenes(), "d"));
  for (const char* name : {"000.png", "001.png", "002.png"}) {
    const std::filesystem::path map = folder_ / "scenes" / "annotations" / "training" / name;
    image::Image binary = numbers_of(map);
    for (uint8_t& value : binary.pixels) value = value > 1 ? 255 : 0;
    image::write_png(map, binary);
  }
  const std::string why =
      test::error_of(ExitCode::kData, [&] { refuse_maps_without_classes(recipe, *scenes(), "d"); });
  EXPECT_NE(why.find("no pixel of 3 training maps has a class: all are 0 or 255"),
            std::string::npos)
      << why;
  recipe.segment().pipeline.reduce_zero_label = false;  // then 0 is a class
  EXPECT_NO_THROW(refuse_maps_without_classes(recipe, *scenes(), "d"));
}

TEST_F(LabelledDataTest, MapsAndObjectsThatAreNotPackedAreSaid) {
  tests::write_objects(folder_ / "coco", 1, 1);
  tests::write_scenes(folder_ / "scenes", 1, 1);
  pack_data({(folder_ / "coco").string(), folder_ / "coco.pack", {}, false, {}}, reporter_);
  EXPECT_NE(reporter_.said.find("objects, which a packed file cannot hold"), std::string::npos);
  EXPECT_EQ(reporter_.said.find("class maps"), std::string::npos) << reporter_.said;
  pack_data({(folder_ / "scenes").string(), folder_ / "scenes.pack", {}, false, {}}, reporter_);
  EXPECT_NE(reporter_.said.find("class maps, which"), std::string::npos) << reporter_.said;
}

TEST_F(LabelledDataTest, ClassesOfOneSplitAloneAreSaid) {
  image("both/train/a/1.png");
  image("both/train/b/1.png");
  image("both/val/a/2.png");
  const auto result = verify_data((folder_ / "both").string(), {}, reporter_);
  const std::string why = result.at("classes_differ");
  EXPECT_NE(why.find("only in training: b"), std::string::npos) << why;
  EXPECT_NE(reporter_.said.find(why), std::string::npos);
  image("both/val/b/2.png");
  EXPECT_FALSE(verify_data((folder_ / "both").string(), {}, reporter_).contains("classes_differ"));
}

// A packed file stores only class names. Names 0, 1, 2, ... in numeric order are label numbers.
// Names of folders are in alphabetical order instead (0, 1, 10, 11, 2).
TEST_F(LabelledDataTest, NumbersOfLabelsAreToldFromFoldersThatAreCalledByNumbers) {
  std::string text;
  for (int i = 0; i < 12; ++i) {
    image(fmt::format("f/{}/1.png", i));
    text += fmt::format("f/{0}/1.png {0}\n", i);
  }
  const auto packed = [&](const std::string& data, const std::string& name) {
    pack_data({data, folder_ / name, {}, false, {}}, reporter_);
    return open_images(folder_ / name, Split::kTrain, {}, reporter_)->remarks().only_numbered;
  };
  EXPECT_TRUE(open_images(list(text), Split::kTrain, {}, reporter_)->remarks().only_numbered);
  EXPECT_TRUE(packed(list(text), "list.pack"));
  EXPECT_FALSE(packed(folder_ / "f", "folders.pack"));
}

TEST_F(LabelledDataTest, ClassesThatDifferAreNamed) {
  for (const char* name : {"train/a/1.png", "train/b/1.png", "val/b/1.png", "val/images/1.png"}) {
    image(name);
  }
  const std::string message =
      test::error_of(ExitCode::kData, [&] { open_labelled_splits(data(), {}, reporter_); });
  EXPECT_NE(message.find("; only in training: a; only in validation: images"), std::string::npos)
      << message;
}

TEST_F(LabelledDataTest, LabelsThatCannotBeUsedAreRefusedOnceWithTheirNumber) {
  const std::string names = list("1.png one\n2.png two\n3.png three\n");
  EXPECT_EQ(refusal(names),
            names + ": 3 of 3 images have no usable label; the first: " + data() +
                "/1.png: its label in line 1 of the list, \"one\", is not a class number");
  EXPECT_NE(refusal(list("1.png 0\n2.png 1\n3.png\n")).find("1 of 3 images"), std::string::npos);
  // Opened without labels, the same list is accepted.
  EXPECT_EQ(open_images(names, Split::kTrain, {}, reporter_)->size(), 3);
}

TEST_F(LabelledDataTest, FewUnusableLabelsAreAWarning) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += fmt::format("{}.png {}\n", i, i % 2);
  open_labelled(list(text + "x.png\n"), Split::kTrain, {}, reporter_);
  EXPECT_NE(reporter_.said.find("warning: "), std::string::npos);
  EXPECT_NE(reporter_.said.find("1 of 21 images has no usable label"), std::string::npos)
      << reporter_.said;
}

TEST_F(LabelledDataTest, WhatIsRemarkedOfBothSplitsIsSaidOnce) {
  for (const char* name : {"Train/a/1.png", "Val/a/1.png", "Train/b/2.png", "Val/b/1.png"}) {
    image(name);
  }
  folder_.write("Train/a/x.gif", std::string("x"));
  open_labelled_splits(data(), {}, reporter_);
  EXPECT_EQ(reporter_.said, data() +
                                ": the splits are Train/ for training and Val/ for validation\n" +
                                data() + ": left out: 1 .gif (a/x.gif)\n");
}

TEST_F(LabelledDataTest, OptionalLabelsAreNoneWhereTheyCannotBeUsed) {
  const auto strict =
      open_images(list("1.png 1\n2.png x\n3.png 0\n"), Split::kTrain, {}, reporter_);
  const auto lenient = with_optional_labels(strict);
  EXPECT_THROW(strict->label(1), Error);
  EXPECT_EQ(lenient->label(0), 1);
  EXPECT_EQ(lenient->label(1), -1);
  EXPECT_EQ(lenient->classes(), strict->classes());
}

TEST_F(LabelledDataTest, MistakesInTheDataAreWarningsInTrainingToo) {
  image("1.png");
  image("2.png");
  const std::string twice = list("1.png 0\n2.png 1\n1.png 1\n");
  open_images(twice, Split::kTrain, {}, reporter_);
  EXPECT_NE(reporter_.said.find("warning: " + twice + ": " + twice +
                                " lists 1 image more than once (for example 1.png): 1 of 3 entries "
                                "repeat one; 1 has different labels, for example 1.png: 0 and 1"),
            std::string::npos)
      << reporter_.said;
  for (const char* name : {"s/train/a/1.png", "s/Train/a/1.png", "s/val/a/1.png"}) image(name);
  reporter_.said.clear();
  open_labelled_splits((folder_ / "s").string(), {}, reporter_);
  const size_t first = reporter_.said.find("and Train/ beside it is not");
  ASSERT_NE(first, std::string::npos) << reporter_.said;
  EXPECT_EQ(reporter_.said.find("and Train/ beside it is not", first + 1), std::string::npos)
      << "the note must appear once for both splits";
  EXPECT_NE(reporter_.said.find("has only one class (a), so accuracy is always 100 %"),
            std::string::npos);
}

TEST_F(LabelledDataTest, WhatIsMeasuredButNotTrainedOnIsSaid) {
  loader::InstanceClasses measured{{"cat", "dog", "emu"}, {1, 2, 3}, {4, 0, 1}};
  const auto said = [&](std::vector<int64_t> trained) {
    reporter_.said.clear();
    warn_of_unlearnt("d", trained, measured, "the training images", reporter_);
    return reporter_.said;
  };
  EXPECT_EQ(said({1, 0, 1}), "");
  EXPECT_EQ(said({}), "") << "the training counts are unknown, so there is no warning";
  EXPECT_EQ(said({1, 0, 0}),
            "warning: d: 1 of the 2 categories with objects in the validation images has none in "
            "the training images (emu): its AP can only be 0.00\n");
  EXPECT_EQ(said({0, 5, 0}),
            "warning: d: 2 of the 2 categories with objects in the validation images have none in "
            "the training images (cat, emu): no measured category was trained, so AP can only be "
            "0.00\n");
}

}  // namespace
}  // namespace fcm::tasks
