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

TEST_F(FileListTest, DevicesPipesAndFoldersAreBadImages) {
  ASSERT_EQ(mkfifo((folder_.path() / "pipe").c_str(), 0600), 0);
  const auto dataset = open("/dev/zero\npipe\n.\n");
  for (int64_t i = 0; i < 3; ++i) {
    const auto message = data_error([&] { dataset->get(i, 3); });
    EXPECT_NE(message.find("not a regular file"), std::string::npos) << message;
  }
}

// All these texts are the same list.
TEST_F(FileListTest, BlanksMarksAndLineEnds) {
  for (const char* text :
       {"a.png 0\nb c.png 1\n", "a.png 0\r\nb c.png 1\r\n", "a.png 0\rb c.png 1\r",
        "\xEF\xBB\xBF"
        "a.png 0\nb c.png 1",
        "a.png  0\nb c.png   1\n", "a.png\t\t0\nb c.png \t1\n", "a.png 0 \nb c.png 1\t\n",
        "a.png 0\n   \n\t\n# x\nb c.png 1\n"}) {
    const auto dataset = open(text);
    ASSERT_EQ(dataset->size(), 2) << text;
    EXPECT_EQ(dataset->name(0), folder_.string() + "/a.png") << text;
    EXPECT_EQ(dataset->name(1), folder_.string() + "/b c.png") << text;
    EXPECT_EQ(dataset->label(1), 1) << text;
  }
  const auto unlabelled = open(
      "\xEF\xBB\xBF"
      "a.png \nb c.png  \n");
  EXPECT_EQ(unlabelled->name(0), folder_.string() + "/a.png");
  EXPECT_EQ(unlabelled->name(1), folder_.string() + "/b c.png");
  EXPECT_EQ(unlabelled->remarks().no_labels,
            (folder_ / "list.txt").string() +
                " has no class numbers; write one after each path, separated by a blank");
}

// An unusual name is used literally if a file of this name exists.
TEST_F(FileListTest, OddNamesOfFilesThatExist) {
  for (const char* name : {"a.png,0", "\"a.png\"", "back\\slash.png", "0 x.png"}) {
    folder_.write(name, image::encode_png(test::pattern(3, 4, 3, 1)));
    EXPECT_EQ(open(std::string(name) + "\n")->get(0, 3).cols, 4) << name;
  }
}

// An unusable label is an error only if labels are requested.
TEST_F(FileListTest, LabelsThatCannotBeUsed) {
  const auto partly = open("a.png 1\nb.png\nc.png -1\nd.png 100000\ne.png 0.5\nf.png 0\n");
  ASSERT_EQ(partly->size(), 6);
  EXPECT_EQ(partly->name(2), folder_.string() + "/c.png");
  EXPECT_EQ(partly->name(3), folder_.string() + "/d.png");
  EXPECT_EQ(partly->label(5), 0);
  EXPECT_EQ(partly->remarks().bad_labels, 4);
  EXPECT_EQ(partly->remarks().first_bad_label,
            folder_.string() + "/b.png: it has no label, but other images have one");
  EXPECT_NE(data_error([&] {
              partly->label(3);
            }).find("its label in line 4 of the list, \"100000\", is not a class number"),
            std::string::npos);
  const auto none = open("a.png -1\nb.png -1\n");
  EXPECT_TRUE(none->classes().empty());
  EXPECT_EQ(none->remarks().bad_labels, 2);
}

TEST_F(FileListTest, FewNamesAreClasses) {
  const auto named = open("a.png dog\nb c.png cat\nd.png dog\ne.png\tcat\n");
  EXPECT_EQ(named->classes(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(named->label(0), 1);
  EXPECT_EQ(named->name(1), folder_.string() + "/b c.png");
  const auto spaced = open("a.png\tgolden retriever\nb.png\tgolden retriever\n");
  EXPECT_EQ(spaced->classes(), (std::vector<std::string>{"golden retriever"}));
  const auto captions = open("a.png one\nb.png two\n");
  EXPECT_TRUE(captions->classes().empty());
  EXPECT_NE(captions->remarks().first_bad_label.find("\"one\", is not a class number"),
            std::string::npos);
}

TEST_F(FileListTest, EndingsOfLists) {
  for (const char* name : {"x.lst", "x.CSV", "x.tsv", "x.list"}) {
    const auto list = folder_.write(name, std::string("a.png 1\nb.png 0\n"));
    EXPECT_EQ(open_dataset(list.string(), Split::kTrain)->size(), 2) << name;
  }
}

TEST_F(FileListTest, NamesThatAreNotUtf8) {
  const auto dataset = open("lat\xE9in.png 0\n");
  EXPECT_EQ(dataset->name(0), folder_.string() + "/lat\xE9in.png");
}

TEST_F(FileListTest, TooFewNamesOfClassesAreRemarked) {
  folder_.write("classes.txt", std::string("ant\n"));
  const auto dataset = open("a.png 0\nb.png 1\n");
  EXPECT_EQ(dataset->classes(), (std::vector<std::string>{"0", "1"}));
  EXPECT_NE(dataset->remarks().notes.at(0).find("names 1 class, but the largest label is 1"),
            std::string::npos);
}

TEST_F(FileListTest, WhatIsNoListSaysWhichLine) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "lists no images"},
      {"# only\n\n", "lists no images"},
      {"path label\na.png 1\n", "line 1, \"path label\" has no class number"},
      {"a.png 1\n\npath label\n", "line 3, \"path label\" has no class number"},
      {"a.png,0\n", "line 1, \"a.png,0\": its columns are separated by commas"},
      {"a.png 1\n\"b.png\",0\n", "line 2, \"\"b.png\",0\": its columns"},
      {"0;a.png\n", "columns"},
      {"\"a.png\" 0\n", "line 1, \"\"a.png\" 0\": its path is in quotes"},
      {"~/a.png 0\n", "only shells expand ~"},
      {"pics\\a.png 0\n", "backslashes"},
      {"https://x.org/a.png 0\n", "URL"},
      {"0\t1.0\ta.png\n", "its number precedes the path"},
      {std::string("\xFF\xFE"
                   "a\0.\0p\0\n\0",
                   10),
       "saved as UTF-8 rather than UTF-16"},
      {" 5\n", "line 1 names no file"},
      {std::string("a\0b\n", 4), "line 1 names no file"}};
  for (const auto& [list, reason] : cases) {
    const auto message = data_error([&] { open(list); });
    EXPECT_NE(message.find(reason), std::string::npos) << reason << ": " << message;
  }
}

TEST_F(FileListTest, ImagesThatAreListedTwiceAreSaid) {
  const auto warnings = [&](const std::string& text) { return open(text)->remarks().warnings; };
  const std::string list = (folder_ / "list.txt").string(), a = folder_.string() + "/a.png";
  EXPECT_TRUE(warnings("a.png 0\nb.png 1\n").empty());
  EXPECT_EQ(warnings("b.png 1\na.png 0\na.png 0\n").at(0),
            list + " lists 1 image more than once (for example a.png): 1 of 3 entries repeat one");
  // Different spellings of one path count as one image.
  EXPECT_EQ(warnings("a.png 0\n./a.png 1\n" + a + " 0\nx/../a.png 1\nb.png 1\nb.png 1\n").at(0),
            list +
                " lists 2 images more than once (for example a.png): 4 of 6 entries repeat one; 1 "
                "has different labels, for example a.png: 0 and 1");
  EXPECT_EQ(warnings("a.png dog\na.png cat\nb.png cat\nc.png dog\n").at(0),
            list +
                " lists 1 image more than once (for example a.png): 1 of 4 entries repeat one; 1 "
                "has different labels, for example a.png: dog and cat");
  EXPECT_EQ(warnings("a.png\na.png\n").at(0),
            list + " lists 1 image more than once (for example a.png): 1 of 2 entries repeat one");
  const auto csv = folder_.write("t.csv", std::string("path,label\na.png,1\nb.png,0\na.png,0\n"));
  EXPECT_EQ(open_dataset(csv.string(), Split::kTrain)->remarks().warnings.at(0),
            csv.string() +
                " lists 1 image more than once (for example a.png): 1 of 3 entries repeat one; 1 "
                "has different labels, for example a.png: 1 and 0");
}

TEST_F(FileListTest, ClassNamesThatAreBlankOrTheSameAreSaid) {
  const std::string file = (folder_ / "classes.txt").string();
  const auto named = [&](const std::string& names) {
    folder_.write("classes.txt", names);
    return open("a.png 0\nb.png 1\nc.png 2\n");
  };
  EXPECT_TRUE(named("ant\nbee\ncow\n")->remarks().warnings.empty());
  const auto repeated = named("crane\nbee\ncrane\n");
  EXPECT_EQ(repeated->classes(), (std::vector<std::string>{"crane", "bee", "crane"}));
  EXPECT_EQ(
      repeated->remarks().warnings,
      std::vector<std::string>{
          file + " gives several classes the same name: \"crane\" of classes 0 and 2; they stay "
                 "separate classes, and only their numbers tell them apart"});
  const auto blank = named("ant\n \ncow\n");
  EXPECT_EQ(blank->classes(), (std::vector<std::string>{"ant", "1", "cow"}));
  EXPECT_EQ(blank->remarks().warnings.at(0),
            file + " has a blank name for 1 class (1): it is named by its number");
  const auto alike = named("Ant\nant \ncow\r\n");
  EXPECT_EQ(alike->classes(), (std::vector<std::string>{"Ant", "ant", "cow"}));
  EXPECT_EQ(alike->remarks().warnings.at(0),
            file +
                " has classes whose names differ only in letter case or blanks: \"Ant\" and "
                "\"ant\"; they are separate classes");
  const auto labels = open("a.png Cat\nb.png cat\nc.png cat\nd.png Cat\n");
  EXPECT_NE(labels->remarks().warnings.at(0).find("\"Cat\" and \"cat\""), std::string::npos);
}

}  // namespace
}  // namespace fcm::loader
