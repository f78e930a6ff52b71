// `data verify`: its counts, examples and messages for folders that hold more than valid images.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "tests/apps/program.h"
#include "tests/loader/coco_support.h"

namespace fcm::apps {
namespace {

using nlohmann::json;

class DataVerifyOfFolders : public testing::Test {
 protected:
  void image(const std::string& name) const {
    std::filesystem::create_directories((scratch_ / name).parent_path());
    image::write_png(scratch_ / name, {8, 8, 3, std::vector<uint8_t>(8 * 8 * 3, 99)});
  }
  Scratch scratch_;
};

TEST_F(DataVerifyOfFolders, WhatIsLeftOutIsCountedByKind) {
  image("training/ant/a.png");
  image("training/bee/b.png");
  image("validation/ant/c.png");
  image("validation/bee/d.png");
  scratch_.write("training/ant/x.gif", std::string("x"));
  scratch_.write("training/cat/y.gif", std::string("x"));
  const std::string data = scratch_.string();
  const Outcome outcome = run_here("data verify --json " + data);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result.at("images"), 4);
  EXPECT_EQ(result.at("left_out"), 3);
  EXPECT_EQ(result.at("bad_labels"), 0);
  const json expected = {
      {{"kind", ".gif"}, {"count", 2}, {"example", "ant/x.gif"}},
      {{"kind", "folders without readable images"}, {"count", 1}, {"example", "cat"}}};
  EXPECT_EQ(result.at("train").at("left_out"), expected);
  EXPECT_EQ(result.at("val").at("left_out"), json::array());
  EXPECT_EQ(result.at("train").at("endings"), (json{{".png", 2}}));
  EXPECT_NE(outcome.err.find("left out: 2 .gif (ant/x.gif), 1 folders without readable images"),
            std::string::npos)
      << outcome.err;
  // The note about both splits is printed once.
  const std::string note = "the splits are training/ for training and validation/ for validation";
  const size_t first = outcome.err.find(note);
  ASSERT_NE(first, std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find(note, first + 1), std::string::npos) << outcome.err;
}

// An unusable label does not make its image bad: the image is packed nonetheless.
TEST_F(DataVerifyOfFolders, LabelsAreCountedApartFromImages) {
  image("a.png");
  image("b.png");
  image("c.png");
  const std::string list =
      scratch_.write("list.txt", std::string("a.png 0\nb.png -1\nc.png 1\n")).string();
  const Outcome outcome = run_here("data verify --json " + list);
  EXPECT_EQ(outcome.status, 3);
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result.at("bad"), 0);
  EXPECT_EQ(result.at("bad_labels"), 1);
  EXPECT_NE(result.at("train").at("first_bad_label").get<std::string>().find("\"-1\""),
            std::string::npos);
  EXPECT_NE(outcome.err.find("1 of 3 images has no usable label"), std::string::npos)
      << outcome.err;
  const std::string out = (scratch_ / "all.pack").string();
  EXPECT_EQ(run_here("data pack --data " + list + " --out " + out).status, 3);
  const auto packed = loader::open_dataset(out, loader::Split::kTrain);
  EXPECT_EQ(packed->size(), 3);
  EXPECT_EQ(packed->label(2), 1);
  EXPECT_THROW(packed->label(1), Error);
  EXPECT_EQ(packed->remarks().bad_labels, 1);
}

// Files beside the split folders are counted once, although both splits see them.
TEST_F(DataVerifyOfFolders, WhatLiesBesideTheSplitsIsCountedOnce) {
  image("train2017/ant/a.png");
  image("val2017/ant/b.png");
  image("extra/c.png");
  scratch_.write("readme.md", std::string("x"));
  scratch_.write("train2017/ant/notes.md", std::string("x"));
  scratch_.write("val2017/ant/x.gif", std::string("x"));
  const Outcome outcome = run_here("data verify --json " + scratch_.string());
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result.at("left_out"), 4) << outcome.out;
  const json train = {{{"kind", ".md"}, {"count", 2}, {"example", "ant/notes.md"}},
                      {{"kind", "folders beside the splits"}, {"count", 1}, {"example", "extra"}}};
  EXPECT_EQ(result.at("train").at("left_out"), train);
  EXPECT_EQ(result.at("val").at("left_out").size(), 3u);
  EXPECT_EQ(result.at("train").at("notes").at(0),
            "the splits are train2017/ for training and val2017/ for validation");
  // All images have the same pixels.
  EXPECT_EQ(result.at("shared").at("images"), 1);
  EXPECT_EQ(result.at("shared").at("example"), scratch_.string() + "/val2017/ant/b.png");
  EXPECT_NE(outcome.err.find("1 of the 1 validation images (100.0 %) are training images too"),
            std::string::npos)
      << outcome.err;
}

TEST_F(DataVerifyOfFolders, ListsWithAHeadingAndLabelsWithHoles) {
  image("a.png");
  image("b.png");
  image("c.png");
  const std::string list =
      scratch_.write("l.csv", std::string(",path,label\n0,a.png,1\n1,b.png,4\n2,c.png,0 1\n"))
          .string();
  const Outcome outcome = run_here("data verify --json " + list);
  EXPECT_EQ(outcome.status, 3) << "one image has two labels";
  const json train = json::parse(outcome.out).at("train");
  EXPECT_EQ(train.at("images"), 3);
  EXPECT_EQ(train.at("bad"), 0);
  EXPECT_EQ(train.at("bad_labels"), 1);
  EXPECT_NE(train.at("first_bad_label").get<std::string>().find("it has 2 labels in line 4"),
            std::string::npos);
  ASSERT_EQ(train.at("notes").size(), 2u);
  EXPECT_NE(train.at("notes")[0].get<std::string>().find("paths are in the column \"path\""),
            std::string::npos);
  EXPECT_NE(train.at("notes")[1].get<std::string>().find("no image has 0, 2, 3 (3 of 5)"),
            std::string::npos);
}

TEST_F(DataVerifyOfFolders, AStrayIdxFileIsLeftOut) {
  image("ant/a.png");
  image("bee/b.png");
  scratch_.write("train-images-idx3-ubyte.gz", std::string());
  const Outcome outcome = run_here("data verify --json " + scratch_.string());
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const json train = json::parse(outcome.out).at("train");
  EXPECT_EQ(train.at("classes"), 2);
  const json left_out = {
      {{"kind", ".gz"}, {"count", 1}, {"example", "train-images-idx3-ubyte.gz"}}};
  EXPECT_EQ(train.at("left_out"), left_out);
}

TEST_F(DataVerifyOfFolders, NamesThatAreNotUtf8AndLinksToNothing) {
  image("a/lat\xE9in.png");
  image("a/new\nline.png");
  std::filesystem::create_symlink("gone.png", scratch_ / "a/link.png");
  const Outcome outcome = run_here("data verify --json " + scratch_.string());
  EXPECT_EQ(outcome.status, 3) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result.at("images"), 3);
  EXPECT_EQ(result.at("bad"), 1);
  EXPECT_NE(outcome.err.find("it is a link to gone.png"), std::string::npos) << outcome.err;
}

// Images with equal pixels in two classes: at most one of their labels can be right.
TEST_F(DataVerifyOfFolders, ImagesThatAreThereTwiceAreCounted) {
  image("ant/a.png");
  image("ant/b.png");
  image("bee/c.png");
  image::write_png(scratch_ / "bee/d.png", {8, 8, 3, std::vector<uint8_t>(8 * 8 * 3, 7)});
  const Outcome outcome = run_here("data verify --json " + scratch_.string());
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const json repeated = json::parse(outcome.out).at("train").at("repeated");
  EXPECT_EQ(repeated.at("images"), 2);
  EXPECT_EQ(repeated.at("other_class"), 1);
  EXPECT_EQ(repeated.at("example"),
            (json{scratch_.string() + "/ant/a.png", scratch_.string() + "/bee/c.png"}));
  EXPECT_NE(outcome.err.find("2 of 4 images have the same pixels as an earlier one, 1 of them in "
                             "another class: " +
                             scratch_.string() + "/ant/a.png in ant, " + scratch_.string() +
                             "/bee/c.png in bee"),
            std::string::npos)
      << outcome.err;
}

TEST_F(DataVerifyOfFolders, MistakesOfAListAreWarningsAndInTheResult) {
  image("a.png");
  const std::string list = scratch_.write("l.txt", std::string("a.png 0\na.png 1\n")).string();
  const Outcome outcome = run_here("data verify --json " + list);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const std::string warning = json::parse(outcome.out).at("train").at("warnings").at(0);
  EXPECT_NE(warning.find("1 has different labels, for example a.png: 0 and 1"), std::string::npos);
  EXPECT_NE(outcome.err.find("warning: " + list + " (train): " + warning), std::string::npos)
      << outcome.err;
}

TEST_F(DataVerifyOfFolders, OrientationsAreCountedAndWhatIsDoneWithThem) {
  const image::Image lying{8, 12, 3, std::vector<uint8_t>(8 * 12 * 3, 50)};
  scratch_.write("ant/a.jpg", test::lying_jpeg_text(lying));
  scratch_.write("ant/b.jpg", test::jpeg_text(lying));
  Outcome outcome = run_here("data verify --json " + scratch_.string());
  json oriented = json::parse(outcome.out).at("train").at("oriented");
  EXPECT_EQ(
      oriented,
      (json{{"images", 1}, {"applied", false}, {"example", scratch_.string() + "/ant/a.jpg"}}));
  EXPECT_NE(outcome.err.find("1 image has an EXIF orientation other than upright (" +
                             scratch_.string() + "/ant/a.jpg); it is not applied"),
            std::string::npos)
      << outcome.err;
  const Scratch coco;
  test::write_small_coco(coco);
  coco.write("train2017/3.jpg", test::lying_jpeg_text(test::scene(60, 40)));
  outcome = run_here("data verify --json " + coco.string());
  oriented = json::parse(outcome.out).at("train").at("oriented");
  EXPECT_EQ(oriented.at("images"), 1);
  EXPECT_EQ(oriented.at("applied"), true);
}

}  // namespace
}  // namespace fcm::apps
