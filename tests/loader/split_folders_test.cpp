// Tests which folders are taken as splits. A name must have a whole word such as "train"; if all
// folders look like classes, none is a split.
#include "fcm/loader/sources/split_folders.h"

#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

using test::data_error;
using Words = std::vector<std::string>;

std::vector<uint8_t> dot() { return image::encode_png(test::pattern(3, 4, 3, 1)); }

// Writes one image into each folder, or into a class folder below if its name ends in "/".
void draw(const test::Scratch& root, const Words& folders) {
  for (const std::string& name : folders) {
    root.write(name + (name.ends_with('/') ? "a/1.png" : "/1.png"), dot());
  }
}

std::pair<std::string, std::string> splits_of(const Words& folders) {
  const test::Scratch root;
  draw(root, folders);
  const SplitFolders found = split_folders_in(root.path());
  EXPECT_TRUE(found.train_rivals.empty() && found.val_rivals.empty());
  return {found.train, found.val};
}

TEST(SplitFolders, WordsAreWholeBetweenMarksDigitsAndCapitals) {
  for (const auto& [train, val] : std::vector<std::pair<std::string, std::string>>{
           {"train2017", "val2017"},
           {"train_images", "val_images"},
           {"train-images", "valid"},
           {"Training Set", "Validation Set"},
           {"ILSVRC2012_img_train", "ILSVRC2012_img_val"},
           {"TrainImages", "TestImages"},
           {"trainset", "testset"},
           {"TRAIN_256", "DEV_256"},
           {"train", "val_jpg"},
           {"imagesTrain", "imagesVal"},
           {"trainval", "test"},
           {"01_train", "02_test"},
           {"train (1)", "val (1)"},
           {"dogs.train", "dogs.val"}}) {
    EXPECT_EQ(splits_of({train + "/", val + "/"}), std::pair(train, val));
    EXPECT_EQ(splits_of({train, val, "extra"}), std::pair(train, val)) << "without class folders";
  }
}

TEST(SplitFolders, ClassesAreNoSplits) {
  const std::pair<std::string, std::string> none;
  for (const Words& classes :
       {Words{"train_station", "bus", "car"}, Words{"bullet train", "test tube", "car"},
        Words{"train_station", "test_tube"}, Words{"carnival", "training_shoe", "latest"},
        Words{"train2017", "bus", "car"}, Words{"trainer", "valley", "contest"},
        Words{"Val d'Isere", "Chamonix"}, Words{"train_test_split", "bus"},
        Words{"model-train", "toy"}}) {
    EXPECT_EQ(splits_of(classes), none) << classes.front();
  }
}

TEST(SplitFolders, AloneItIsASplit) {
  EXPECT_EQ(splits_of({"train2017"}).first, "train2017");
  EXPECT_EQ(splits_of({"ILSVRC2012_img_train/"}).first, "ILSVRC2012_img_train");
  EXPECT_EQ(splits_of({"test_images/"}).second, "test_images");
  EXPECT_EQ(splits_of({"train_station"}).first, "")
      << "a folder of images is no split if its name has another word";
  const test::Scratch root;
  draw(root, {"train_images"});
  root.write("annotations/x.json", std::string("{}"));
  EXPECT_EQ(split_folders_in(root.path()).train, "train_images");
}

// A folder called "train" is always a split. Other folders beside it are ignored with a note.
TEST(SplitFolders, TheBareWordIsASplitWhateverLiesBesideIt) {
  const test::Scratch root;
  draw(root, {"train", "bus", "car"});
  const auto dataset = open_dataset(root.string(), Split::kTrain);
  EXPECT_EQ(dataset->size(), 1);
  ASSERT_EQ(dataset->remarks().notes.size(), 1u);
  EXPECT_EQ(dataset->remarks().notes[0],
            "train/ is taken as a split because of its name, not as a class; the folders beside "
            "it are left out (bus, car)");
  EXPECT_NE(data_error([&] { open_dataset(root.string(), Split::kVal); }).find("has no folder val"),
            std::string::npos);
}

TEST(SplitFolders, OneThatSaysNoMoreComesFirst) {
  EXPECT_EQ(splits_of({"train", "train2014", "val2014"}).first, "train");
  EXPECT_EQ(splits_of({"train_images", "train_masks", "val_images", "val_masks"}),
            std::pair(std::string("train_images"), std::string("val_images")));
  EXPECT_EQ(splits_of({"train2017", "test2017", "val2017"}).second, "val2017");
  EXPECT_EQ(splits_of({"train", "test", "val_images"}).second, "val_images");
  const test::Scratch root;
  draw(root, {"train2014", "val2014"});
  root.write("train2017/readme.md", std::string("later"));
  EXPECT_EQ(split_folders_in(root.path()).train, "train2014") << "train2017 has no image";
}

// Ambiguity is an error only for the requested split.
TEST(SplitFolders, SeveralForOneSplitAreRefusedWithTheirNames) {
  const test::Scratch root;
  draw(root, {"train2014/", "train2017/", "val2017/"});
  const std::string message = data_error([&] { open_dataset(root.string(), Split::kTrain); });
  EXPECT_EQ(message, root.string() +
                         " has 2 folders that could be the training images, train2014 and "
                         "train2017, and none called train: rename or link the right one to train, "
                         "or move the others away");
  EXPECT_EQ(open_dataset(root.string(), Split::kVal)->size(), 1);
  const test::Scratch shards;
  for (const char* name : {"train_a/x.tar", "train_b/x.tar"}) shards.write(name, std::string("x"));
  std::filesystem::create_directories(shards.path() / "val_a");
  std::filesystem::create_directories(shards.path() / "val_b");
  EXPECT_EQ(split_folders_in(shards.path()).train_rivals, (Words{"train_a", "train_b"}));
  const test::Scratch unpaired;
  draw(unpaired, {"trainA", "trainB", "testA", "testB"});
  EXPECT_NE(data_error([&] {
              open_dataset(unpaired.string(), Split::kVal);
            }).find("testA and testB, and none called val"),
            std::string::npos);
}

TEST(SplitFolders, WhatIsDoubtfulIsSaid) {
  const test::Scratch classes, nested;
  draw(classes, {"train2017", "bus", "car"});
  const auto one = open_dataset(classes.string(), Split::kTrain);
  EXPECT_EQ(one->classes().size(), 3u);
  ASSERT_EQ(one->remarks().notes.size(), 1u);
  EXPECT_EQ(one->remarks().notes[0],
            "named like a split, but taken as a class, since the other split has no folder: "
            "train2017");
  draw(nested, {"images/train/", "images/val/", "labels"});
  const auto other = open_dataset(nested.string(), Split::kTrain);
  ASSERT_EQ(other->remarks().notes.size(), 1u);
  EXPECT_NE(other->remarks().notes[0].find("are mixed in 1 class (images)"), std::string::npos)
      << other->remarks().notes[0];
}

// Splits may be in a subfolder, as in unpacked archives (tiny-imagenet-200/train), or in images/ if
// labels/ is beside it (images/train, labels/train).
TEST(SplitFolders, InAFolderOfTheirOwn) {
  const test::Scratch root;
  draw(root, {"images/train/", "images/val/"});
  root.write("labels/train/1.txt", std::string("0 1 1"));
  const auto dataset = open_dataset(root.string(), Split::kTrain);
  EXPECT_EQ(dataset->classes(), Words{"a"});
  EXPECT_EQ(dataset->name(0), root.string() + "/images/train/a/1.png");
  EXPECT_EQ(dataset->remarks().notes, Words{"the splits are in images/; only that folder is read"});
  EXPECT_EQ(as_text(dataset->remarks().left_out), "1 folders (labels)");
  EXPECT_EQ(open_dataset(root.string(), Split::kVal)->name(0),
            root.string() + "/images/val/a/1.png");
  draw(root, {"more"});
  EXPECT_EQ(folder_with_splits(root.path()), root.path())
      << "with another folder of images, images/ is a class";
}

// A link to a missing folder is an error only of the split that the link is named after.
TEST(SplitFolders, ALinkToNothingIsStillTheSplit) {
  const test::Scratch root;
  draw(root, {"val2017/"});
  std::filesystem::create_symlink("gone", root.path() / "train2017");
  EXPECT_EQ(split_folders_in(root.path()).train, "train2017");
  EXPECT_NE(data_error([&] { open_dataset(root.string(), Split::kTrain); }).find("cannot list"),
            std::string::npos);
}

TEST(SplitFolders, SeveralNamesForOneSplitAreSaid) {
  const test::Scratch root;
  draw(root, {"train/", "Train/", "val/", "valid/", "Val/", "test/"});
  const auto train = open_dataset(root.string(), Split::kTrain);
  EXPECT_EQ(train->name(0), root.string() + "/train/a/1.png");
  const Words warnings{
      "train/ is read as the training images, and Train/ beside it is not, though named for the "
      "same split",
      "val/ is read as the validation images, and Val/ and valid/ beside it is not, though named "
      "for the same split"};
  EXPECT_EQ(train->remarks().warnings, warnings);
  EXPECT_EQ(open_dataset(root.string(), Split::kVal)->remarks().warnings, warnings);
  const test::Scratch usual;
  draw(usual, {"train/", "val/", "test/"});
  EXPECT_TRUE(open_dataset(usual.string(), Split::kTrain)->remarks().warnings.empty());
}

TEST(SplitFolders, AnEmptyFolderComesAfterOneWithContent) {
  const test::Scratch root;
  draw(root, {"Train/", "val/"});
  std::filesystem::create_directories(root / "train");
  const auto train = open_dataset(root.string(), Split::kTrain);
  EXPECT_EQ(train->name(0), root.string() + "/Train/a/1.png");
  EXPECT_TRUE(train->remarks().warnings.empty());
  EXPECT_EQ(train->remarks().notes.at(0),
            "the splits are Train/ for training and val/ for validation");
  // Test images are never used as validation images.
  draw(root, {"test/"});
  std::filesystem::remove_all(root / "val");
  std::filesystem::create_directories(root / "val");
  EXPECT_NE(data_error([&] { open_dataset(root.string(), Split::kVal); }).find("/val"),
            std::string::npos);
}

}  // namespace
}  // namespace fcm::loader
