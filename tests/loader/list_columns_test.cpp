// Tests lists written by other programs: columns with a heading, and errors that name a line.
#include "fcm/loader/sources/list_columns.h"

#include "fcm/base/random.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/sources/list_line.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

using test::data_error;

class ListColumnsTest : public testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const std::string& text) const {
    return open_dataset(folder_.write("list.csv", text).string(), Split::kTrain);
  }
  std::string refusal(const std::string& text) const {
    return data_error([&] { open(text); });
  }
  test::Scratch folder_;
};

// All these texts list the same two images.
TEST_F(ListColumnsTest, HeadingsSayWhichColumnIsWhich) {
  for (const char* text :
       {"path,label\na.png,1\nb c.png,0\n", ",path,label\n0,a.png,1\n1,b c.png,0\n",
        "id,path,label\n7,a.png,1\n8,b c.png,0\n", "label;file\r\n1;a.png\r\n0;\"b c.png\"\r\n",
        "filename\ttarget\na.png\t1\nb c.png\t0\n", "\tpath\tclass\n0\ta.png\t1\n1\tb c.png\t0\n",
        "Image Path , Class ID\n a.png , 1\n b c.png , 0\n", "img|class\na.png|1\nb c.png|0\n",
        "\xEF\xBB\xBF\"image\",\"label\",\"note\"\n\"a.png\",\"1\",\"x, \"\"y\"\"\"\n"
        "\"b c.png\",0,\n",
        "sep=;\r\nclass;image\r\n1;a.png\r\n0;b c.png\r\n",
        "# made by hand\n\nfile_name,category\n\na.png,1\nb c.png,0",
        "width,height,img_path,y\n3,4,a.png,1\n3,4,b c.png,0\n"}) {
    const auto dataset = open(text);
    ASSERT_EQ(dataset->size(), 2) << text;
    EXPECT_EQ(dataset->name(0), folder_.string() + "/a.png") << text;
    EXPECT_EQ(dataset->name(1), folder_.string() + "/b c.png") << text;
    EXPECT_EQ(dataset->label(0), 1) << text;
    EXPECT_EQ(dataset->label(1), 0) << text;
    EXPECT_EQ(dataset->remarks().bad_labels, 0) << text;
  }
}

TEST_F(ListColumnsTest, WhatIsReadAndWhatIsNotIsSaid) {
  EXPECT_EQ(open("id,path,label\n0,a.png,1\n1,b.png,0\n")->remarks().notes.at(0),
            "line 1 is a heading: paths are in the column \"path\", labels in \"label\"; not read: "
            "\"id\"");
  EXPECT_EQ(open("\npath,split,class\na.png,train,0\n")->remarks().notes.at(0),
            "line 2 is a heading: paths are in the column \"path\", labels in \"class\"; not read: "
            "\"split\"; every line is used for both splits, regardless of its \"split\"");
  EXPECT_EQ(
      open("path,label,label\na.png,0,1\n")->remarks().notes.at(0),
      "line 1 is a heading: paths are in the column \"path\", no column, or more than one, holds "
      "labels; not read: \"label\", \"label\"");
  const auto unlabelled = open("file,size\na.png,3\n");
  EXPECT_TRUE(unlabelled->classes().empty());
  EXPECT_NE(unlabelled->remarks().no_labels.find("more than one, called label"), std::string::npos);
  const auto one = open("image\na.png 0\nb.png 1\n");
  EXPECT_EQ(one->size(), 2);
  EXPECT_EQ(one->remarks().notes.at(0), "line 1, \"image\", is a heading");
}

TEST_F(ListColumnsTest, NamesAreClassesAndMissingLabelsAreFaultsOfTheirImages) {
  const auto dataset =
      open("path,label\n\"a,b.png\",cat\nc.png,dog\nd.png,cat\ne.png,dog\nf.png,\n");
  EXPECT_EQ(dataset->classes(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(dataset->name(0), folder_.string() + "/a,b.png");
  EXPECT_EQ(dataset->remarks().bad_labels, 1);
}

TEST_F(ListColumnsTest, RowsThatDoNotFitAreRefusedOnce) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"path,label\na.png,0\nb,c.png,1\n",
       "line 3, \"b,c.png,1\": it has 3 columns, but the heading"},
      {"path,label\na.png\n", "line 2, \"a.png\": it has 1 columns"},
      {"path,label\n\"a.png,0\n", "line 2, \"\"a.png,0\": it has an unterminated quote"},
      {"path,label\n,0\n", "line 2, \",0\": its column \"path\" is empty"},
      {"path,label\nhttps://x.org/a.png,0\n", "line 2, \"https://x.org/a.png,0\": it is a URL"},
      {"path,label\ntrain\\a.png,0\n", "backslashes"},
      {"image_id,label\n0001,3\n0002,4\n",
       "line 2, \"0001,3\": there is no such file, and it has no "
       "image extension (2 of 2 lines have none)"},
      {"id,breed\n0001,dog\n", "line 1, \"id,breed\": there is no such file"},
      {"id,photo,breed\n1,a.png,dog\n",
       "line 2, \"1,a.png,dog\": its columns are separated by commas"},
      {",0,1\n0,a.png,cat\n", "line 2, \"0,a.png,cat\": its columns are separated by commas"},
      {"a.png;0\n", "line 1, \"a.png;0\": its columns are separated by semicolons"},
      {"0|a.png\n", "are separated by bars"},
      {"cat\ta.png\tx\n", "are separated by tabs"},
      {"{\"path\": \"a.png\", \"label\": 0}\n",
       "line 1, \"{\"path\": \"a.png\", \"label\": 0}\": "
       "it is JSON; expected the path, then a blank"},
      {"[\"a.png\", 0]\n", "it is JSON"},
      {"\xE2\x80\x9C"
       "a.png\xE2\x80\x9D 0\n",
       "quotes"},
      {"- file: x\n- file: y\n", "there is no such file"}};
  for (const auto& [list, reason] : cases) {
    const std::string message = refusal(list);
    EXPECT_NE(message.find(reason), std::string::npos) << reason << ": " << message;
  }
}

TEST_F(ListColumnsTest, ALabelBeforeThePathIsRefusedOnceWhereTheImageIsThere) {
  folder_.write("p/a.png", image::encode_png(test::pattern(3, 4, 3, 1)));
  EXPECT_NE(refusal("cat p/a.png\n").find("\"cat\" precedes the path; expected the path first"),
            std::string::npos);
  folder_.write("cat p/a.png", image::encode_png(test::pattern(3, 4, 3, 1)));
  EXPECT_EQ(open("cat p/a.png\n")->get(0, 3).cols, 4);
}

TEST_F(ListColumnsTest, AListWithoutItsImagesIsSaidInOneLine) {
  const auto absent = open("/elsewhere/a.png 0\n/elsewhere/b.png 1\n");
  EXPECT_EQ(absent->remarks().notes.at(0),
            "none of the 2 images that were checked exists; the first: /elsewhere/a.png");
  folder_.write("b.png", image::encode_png(test::pattern(3, 4, 3, 1)));
  EXPECT_TRUE(open("a.png 0\nb.png 1\n")->remarks().notes.empty());
}

// If only a few names do not look like images, the list is accepted, and only these images cannot
// be read.
TEST_F(ListColumnsTest, AFewOddNamesAreImagesThatCannotBeRead) {
  EXPECT_EQ(open("a.png\nb.png\nreadme\n")->size(), 3);
  folder_.write("0001", image::encode_png(test::pattern(3, 4, 3, 1)));
  EXPECT_EQ(open("0001 0\n0002 1\n0003 2\n")->get(0, 3).cols, 4);
}

// Several labels of one image are an error only if labels are requested.
TEST_F(ListColumnsTest, TwoLabelsAreCountedAndTheImageIsRead) {
  for (const char* text :
       {"a.png 0 1\nb.png 1\n", "a.png\t0\t1\nb.png\t1\n", "a.png 0,1\nb.png 1\n",
        "a.png [0, 1]\nb.png 1\n", "path;label\na.png;0 1\nb.png;1\n"}) {
    const auto dataset = open(text);
    EXPECT_EQ(dataset->name(0), folder_.string() + "/a.png") << text;
    EXPECT_EQ(dataset->remarks().bad_labels, 1) << text;
    EXPECT_NE(dataset->remarks().first_bad_label.find("it has 2 labels in line "),
              std::string::npos)
        << dataset->remarks().first_bad_label;
  }
}

TEST_F(ListColumnsTest, BlanksThatAreNotSeen) {
  for (const char* text : {"a.png\xC2\xA0"
                           "0\nb c.png\xC2\xA0 1\n",
                           "\xC2\xA0"
                           "a.png 0\xC2\xA0\nb c.png 1\xE2\x80\x8B\n",
                           "a.png\xE3\x80\x80"
                           "0\n\xEF\xBB\xBF"
                           "b c.png\xE2\x80\xAF"
                           "1\n"}) {
    const auto dataset = open(text);
    ASSERT_EQ(dataset->size(), 2);
    EXPECT_EQ(dataset->name(0), folder_.string() + "/a.png") << text;
    EXPECT_EQ(dataset->name(1), folder_.string() + "/b c.png") << text;
    EXPECT_EQ(dataset->label(1), 1) << text;
  }
  // macOS writes a narrow no-break space into the names of screenshots.
  const std::string shot =
      "Screenshot at 9.41\xE2\x80\xAF"
      "AM.png";
  const auto kept = open(shot + " 0\n" + shot + "\n");
  EXPECT_EQ(kept->name(0), folder_.string() + "/" + shot);
  EXPECT_EQ(kept->name(1), folder_.string() + "/" + shot);
}

TEST_F(ListColumnsTest, ALongLineIsRefusedWithoutBeingRead) {
  const std::string longest(kLongestLine - 6, 'x');
  EXPECT_EQ(open(longest + ".png 0\ny.png 1\n")->size(), 2);
  const std::string message = refusal("a.png 0\n" + std::string(size_t{4} << 20, 'x') + ".png 0\n");
  EXPECT_NE(message.find("line 2 is longer than 65536 bytes, the limit for a line of a list"),
            std::string::npos)
      << message;
  EXPECT_LT(message.size(), 300u);
  const std::string odd = refusal(std::string(5000, 'x') + "\n");
  EXPECT_LT(odd.size(), 800u) << "the message quotes only the beginning of the line";
}

// Any bytes are either read as a list or refused with one error message.
TEST_F(ListColumnsTest, AlteredListsAreReadOrRefused) {
  const std::string whole =
      "\xEF\xBB\xBF,path,label\n0,\"a, b.png\",1\n1,b c.png\t0\n{\"x\": 1}\nd.png\xC2\xA0"
      "2 3\n";
  constexpr std::string_view kTelling = "\",;|\t \n\r\0.[{=0a\xC2\xEF";
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string altered = whole.substr(random.below(20), random.below(whole.size()) + 1);
    for (int changes = 0; changes < 1 + i % 4; ++changes) {
      altered[random.below(altered.size())] = kTelling[random.below(kTelling.size())];
    }
    try {
      const auto dataset = open(altered);
      ASSERT_GT(dataset->size(), 0);
      ASSERT_FALSE(dataset->name(0).empty());
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ExitCode::kData) << altered;
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

// The text is longer than the chunks in which files are read, so some lines cross a boundary.
TEST_F(ListColumnsTest, ManyLines) {
  std::string text;
  constexpr int kLines = 40'000;
  for (int i = 0; i < kLines; ++i) text += fmt::format("folder/{:06}.png {}\n", i, i % 7);
  const auto dataset = open(text);
  ASSERT_EQ(dataset->size(), kLines);
  for (const int i : {0, 1, 12'345, kLines - 1}) {
    EXPECT_EQ(dataset->name(i), fmt::format("{}/folder/{:06}.png", folder_.string(), i));
    EXPECT_EQ(dataset->label(i), i % 7);
  }
}

TEST(NumberedLabels, ThoseThatNoImageHasAreNamed) {
  const test::Scratch folder;
  for (const char* name : {"a.png", "l.png"}) {
    folder.write(name, image::encode_png(test::pattern(3, 4, 3, 1)));
  }
  const auto notes = [&](const std::string& text) {
    return open_dataset(folder.write("l.txt", text).string(), Split::kTrain)->remarks().notes;
  };
  EXPECT_TRUE(notes("a.png 0\nb.png 1\nc.png 2\n").empty());
  EXPECT_EQ(notes("a.png 0\nb.png 1\nc.png 7\n").at(0),
            "labels go up to 7, but no image has 2, 3, 4, 5, 6 (5 of 8): a classifier gets 8 "
            "classes");
  EXPECT_EQ(notes("a.png 1\nb.png 2\nc.png 3\n").at(0),
            "labels go up to 3, but no image has 0 (1 of 4), so they may count from 1 instead "
            "of 0: a classifier gets 4 classes");
  EXPECT_NE(notes("a.png 99999\n").at(0).find("no image has 0, 1, 2, 3, 4, ... (99999 of 100000)"),
            std::string::npos);
  folder.write("classes.txt", std::string("\xEF\xBB\xBF"
                                          "ant\r\nbee\ncow\n\n"));
  const auto named =
      open_dataset(folder.write("l.txt", std::string("a.png 2\n")).string(), Split::kTrain);
  EXPECT_EQ(named->classes(), (std::vector<std::string>{"ant", "bee", "cow"}));
  EXPECT_TRUE(named->remarks().notes.empty()) << "class names give the number of classes";
  EXPECT_FALSE(named->remarks().only_numbered);
}

}  // namespace
}  // namespace fcm::loader
