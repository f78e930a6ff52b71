#include <sys/stat.h>

#include "fcm/loader/dataset.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;
using test::data_error;
using Names = std::vector<std::string>;

std::vector<uint8_t> png(uint32_t seed) { return image::encode_png(test::pattern(3, 4, 3, seed)); }

Names files_of(const Dataset& dataset, const fs::path& root) {
  Names names;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    names.push_back(fs::path(dataset.name(i)).lexically_relative(root).string());
  }
  return names;
}

TEST(ImageFolder, ClassesAndFilesAreSorted) {
  const test::Scratch folder;
  folder.write("train/zebra/b.png", png(1));
  folder.write("train/zebra/A.PNG", png(2));
  folder.write("train/ant/x.JPEG", png(3));  // told by content, not by name
  folder.write("train/ant/deep/er/y.Jpg", png(4));
  folder.write("val/ant/v.png", png(5));
  const auto train = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(train->classes(), (Names{"ant", "zebra"}));
  EXPECT_EQ(files_of(*train, folder.path() / "train"),
            (Names{"ant/deep/er/y.Jpg", "ant/x.JPEG", "zebra/A.PNG", "zebra/b.png"}));
  EXPECT_EQ(train->label(0), 0);
  EXPECT_EQ(train->label(3), 1);
  EXPECT_EQ(train->get(3, 3).pixels, test::pattern(3, 4, 3, 1).pixels);
  EXPECT_EQ(train->get(3, 1).channels, 1);
  EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->size(), 1);
}

TEST(ImageFolder, OnlyPicturesAreListed) {
  const test::Scratch folder;
  folder.write("a/one.png", png(1));
  folder.write("a/.hidden.png", png(1));
  folder.write("a/.hidden/two.png", png(1));
  folder.write("a/notes.txt", std::string("text"));
  folder.write(".git/three.png", png(1));
  folder.write("loose.png", png(1));  // beside class folders: belongs to no class
  fs::create_directories(folder.path() / "empty");
  fs::create_directories(folder.path() / "a/folder.png");
  fs::create_symlink(folder.path(), folder.path() / "a/loop");
  fs::create_symlink(folder.path() / "absent", folder.path() / "a/dangling.png");
  fs::create_symlink("/dev/zero", folder.path() / "a/device.png");
  ASSERT_EQ(mkfifo((folder.path() / "a/pipe.png").c_str(), 0600), 0);
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(files_of(*dataset, folder.path()), (Names{"a/one.png"}));
  EXPECT_EQ(dataset->classes(), (Names{"a"}));
}

TEST(ImageFolder, LinksToPicturesAndToClassFoldersCount) {
  const test::Scratch folder, elsewhere;
  const fs::path picture = elsewhere / "p.png";
  image::write_png(picture, test::pattern(3, 4, 3, 9));
  fs::create_directories(folder.path() / "b");
  fs::create_symlink(picture, folder.path() / "b/link.png");
  fs::create_symlink(elsewhere.path(), folder.path() / "a");
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(files_of(*dataset, folder.path()), (Names{"a/p.png", "b/link.png"}));
  EXPECT_EQ(dataset->get(1, 3).pixels, test::pattern(3, 4, 3, 9).pixels);
}

TEST(ImageFolder, PicturesWithoutClassFoldersHaveNoLabels) {
  const test::Scratch folder;
  folder.write("b.png", png(1));
  folder.write("a.png", png(2));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(files_of(*dataset, folder.path()), (Names{"a.png", "b.png"}));
  EXPECT_EQ(dataset->label(0), -1);
  EXPECT_TRUE(dataset->classes().empty());
}

TEST(ImageFolder, WithoutSplitsBothAreTheWhole) {
  const test::Scratch folder;
  folder.write("a/one.png", png(1));
  EXPECT_EQ(open_dataset(folder.string(), Split::kTrain)->size(), 1);
  EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->size(), 1);
}

TEST(ImageFolder, WhatIsMissingIsNamed) {
  const test::Scratch folder;
  auto message = data_error([&] { open_dataset(folder.string(), Split::kTrain); });
  EXPECT_NE(message.find("no pictures in " + folder.string()), std::string::npos) << message;
  folder.write("train/a/one.png", png(1));
  message = data_error([&] { open_dataset(folder.string(), Split::kVal); });
  EXPECT_NE(message.find("has no folder val"), std::string::npos) << message;
}

TEST(ImageFolder, ErrorsNameThePicture) {
  const test::Scratch folder;
  folder.write("a/one.png", std::string("no picture"));
  const auto two = folder.write("a/two.png", png(1));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  auto message = data_error([&] { dataset->get(0, 3); });
  EXPECT_NE(message.find("a/one.png: neither JPEG nor PNG"), std::string::npos) << message;
  fs::remove(two);
  message = data_error([&] { dataset->get(1, 3); });
  EXPECT_NE(message.find("a/two.png"), std::string::npos) << message;
}

TEST(ImageFolder, TheSampleOfImageNet) {
  const fs::path sample = test::data_folder() / "imagenet-sample";
  FCM_NEED_FOLDER(sample);
  const auto train = open_dataset(sample.string(), Split::kTrain);
  EXPECT_EQ(train->size(), 400);
  EXPECT_EQ(train->classes().size(), 400u);
  EXPECT_EQ(train->classes().front(), "n01440764");
  EXPECT_EQ(open_dataset(sample.string(), Split::kVal)->size(), 100);
}

TEST(OpenDataset, WhatCannotBeOpenedSaysWhy) {
  const test::Scratch folder;
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "empty"},
      {folder.string() + "/absent", "does not exist"},
      {folder.write("list.txt", std::string("# x")).string(), "names no pictures"},
      {folder.write("one.tar", std::string("x")).string(), "damaged or hostile tar"},
      {folder.string() + "/x-{000000..000001}.tar", "No such file"},
      {folder.string() + "/x-{0}.tar", "expected a range"},
      {folder.string(), "damaged or hostile tar"},  // it holds a tar
      {folder.write("x.zip", std::string("x")).string(), "no known kind"},
      {"/dev/null", "neither a folder nor a regular file"}};
  for (const auto& [data, reason] : cases) {
    const auto message = data_error([&] { open_dataset(data, Split::kTrain); });
    EXPECT_NE(message.find(reason), std::string::npos) << data << ": " << message;
  }
}

}  // namespace
}  // namespace fcm::loader
