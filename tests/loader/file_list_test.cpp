#include <sys/stat.h>

#include "fcm/loader/dataset.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

using test::data_error;

class FileListTest : public testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const std::string& list) const {
    return open_dataset(folder_.write("list.txt", list).string(), Split::kTrain);
  }
  test::Scratch folder_;
};

TEST_F(FileListTest, PathsAndLabels) {
  folder_.write("a b/one.png", image::encode_png(test::pattern(3, 4, 3, 1)));
  const auto two = folder_.write("two", image::encode_png(test::pattern(3, 4, 3, 2)));
  const auto dataset =
      open("# pictures\n\na b/one.png 2\r\n" + two.string() + "\t0\na b/one.png 1");
  ASSERT_EQ(dataset->size(), 3);
  EXPECT_EQ(dataset->label(0), 2);
  EXPECT_EQ(dataset->label(1), 0);
  EXPECT_EQ(dataset->get(0, 3).pixels, test::pattern(3, 4, 3, 1).pixels);
  EXPECT_EQ(dataset->get(1, 3).pixels, test::pattern(3, 4, 3, 2).pixels);
  EXPECT_EQ(dataset->name(2), folder_.string() + "/a b/one.png");
  EXPECT_EQ(dataset->classes(), (std::vector<std::string>{"0", "1", "2"}));
}

TEST_F(FileListTest, WithoutLabels) {
  folder_.write("a b.png", image::encode_png(test::pattern(3, 4, 3, 1)));
  const auto dataset = open("a b.png\nabsent.png\n");
  EXPECT_EQ(dataset->size(), 2);
  EXPECT_EQ(dataset->label(0), -1);
  EXPECT_TRUE(dataset->classes().empty());
  EXPECT_EQ(dataset->get(0, 3).cols, 4);
  const auto message = data_error([&] { dataset->get(1, 3); });
  EXPECT_NE(message.find("absent.png: No such file"), std::string::npos) << message;
}

TEST_F(FileListTest, DevicesPipesAndFoldersAreBadPictures) {
  ASSERT_EQ(mkfifo((folder_.path() / "pipe").c_str(), 0600), 0);
  const auto dataset = open("/dev/zero\npipe\n.\n");
  for (int64_t i = 0; i < 3; ++i) {
    const auto message = data_error([&] { dataset->get(i, 3); });
    EXPECT_NE(message.find("no regular file"), std::string::npos) << message;
  }
}

TEST_F(FileListTest, WhatIsNoListSaysWhichLine) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "names no pictures"},
      {"# only\n\n", "names no pictures"},
      {"a.png 1\n\nb.png\n", "line 3 has no label"},
      {"a.png\nb.png 1\n", "line 2 has a label"},
      {" 5\n", "line 1 names no file"},
      {std::string("a\0b\n", 4), "line 1 names no file"}};
  for (const auto& [list, reason] : cases) {
    const auto message = data_error([&] { open(list); });
    EXPECT_NE(message.find(reason), std::string::npos) << reason << ": " << message;
  }
}

}  // namespace
}  // namespace fcm::loader
