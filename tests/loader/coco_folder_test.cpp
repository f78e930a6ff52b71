// Tests data sets in COCO's folder layout.
#include <map>

#include "fcm/loader/sources/sources.h"
#include "tests/loader/coco_support.h"

namespace fcm::loader {
namespace {

using test::CocoTree;
using test::data_error;

TEST(CocoFolder, BothSplitsWithAndWithoutTheYear) {
  const test::Scratch folder;
  test::write_small_coco(folder);
  CocoTree other = test::small_coco();
  other["images"].erase(2);
  test::write_small_coco(folder, other, "val");
  const auto train = open_dataset(folder.string(), Split::kTrain);
  ASSERT_EQ(train->size(), 3);
  EXPECT_TRUE(train->has_instances());
  EXPECT_FALSE(train->has_maps());
  EXPECT_EQ(train->label(0), -1);
  EXPECT_TRUE(train->classes().empty());
  EXPECT_NE(train->remarks().no_labels, "");
  EXPECT_EQ(train->name(0), (folder.path() / "train2017/3.jpg").string());
  EXPECT_EQ(train->get(0, 3).pixels, image::decode(test::bytes_of(train->name(0)), 3).pixels);
  EXPECT_EQ(train->image_record(2).objects, 0);
  EXPECT_TRUE(train->image_record(0).is_wide());
  EXPECT_EQ(std::get<Instances>(train->target(1, TargetKind::kInstances)), train->instances(1));
  EXPECT_EQ(train->instance_classes().ids, (std::vector<int64_t>{2, 7, 90}));
  EXPECT_TRUE(train->remarks().left_out.empty()) << as_text(train->remarks().left_out);
  EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->size(), 2);
  EXPECT_TRUE(has_split(folder.path(), Split::kVal));
}

TEST(CocoFolder, TheOtherSplitAloneIsNamed) {
  const test::Scratch folder;
  test::write_small_coco(folder);
  EXPECT_NE(data_error([&] { open_dataset(folder.string(), Split::kVal); })
                .find("none for validation: looked for instances_val2017.json and "
                      "instances_val.json in annotations/"),
            std::string::npos);
  EXPECT_FALSE(has_split(folder.path(), Split::kVal));
  EXPECT_TRUE(has_split(folder.path(), Split::kTrain));
}

TEST(CocoFolder, WhatLiesBesideIsCounted) {
  const test::Scratch folder;
  test::write_small_coco(folder);
  folder.write("README.md", std::string("x"));
  folder.write("test2017/1.jpg", std::string("x"));
  folder.write("annotations/captions_train2017.json", std::string("{}"));
  folder.write("train2017/99.jpg", std::string("x"));
  folder.write("train2017/notes.txt", std::string("x"));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(as_text(dataset->remarks().left_out),
            "1 .json (captions_train2017.json), 1 .md (README.md), 1 .txt (notes.txt), 1 folders "
            "(test2017), 1 images without a record (99.jpg)");
  EXPECT_EQ(dataset->remarks().left_out_of_both_splits.count(), 3);
}

TEST(CocoFolder, ImagesThatAreNotThereAreNoted) {
  const test::Scratch folder;
  test::write_small_coco(folder);
  std::filesystem::remove(folder.path() / "train2017/5.jpg");
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(dataset->size(), 3);
  EXPECT_EQ(dataset->remarks().notes.at(1),
            fmt::format("1 of 3 recorded images are not in {}/train2017 (5.jpg)", folder.string()));
  EXPECT_NE(data_error([&] { dataset->get(1, 3); }).find("5.jpg"), std::string::npos);
  std::filesystem::remove(folder.path() / "train2017/3.jpg");
  std::filesystem::remove(folder.path() / "train2017/9.jpg");
  EXPECT_NE(data_error([&] {
              open_dataset(folder.string(), Split::kTrain);
            }).find("none of the 3 images of"),
            std::string::npos);
  std::filesystem::remove(folder.path() / "train2017");
  EXPECT_NE(data_error([&] { open_dataset(folder.string(), Split::kTrain); }).find("cannot list"),
            std::string::npos);
}

TEST(CocoFolder, ImagesInFoldersOfTheFolder) {
  const test::Scratch folder;
  CocoTree tree = test::small_coco();
  tree["images"][0]["file_name"] = "deep/er/x.jpg";
  test::write_small_coco(folder, tree);
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(dataset->remarks().notes.size(), 1u);  // the note on the image without objects
  EXPECT_EQ(dataset->get(1, 3).rows, 60);
  EXPECT_TRUE(dataset->remarks().left_out.empty()) << as_text(dataset->remarks().left_out);
  folder.write("train2017/deep/er/y.jpg", std::string("x"));
  folder.write("train2017/deep/other/z.jpg", std::string("x"));
  EXPECT_EQ(as_text(open_dataset(folder.string(), Split::kTrain)->remarks().left_out),
            "1 folders (deep/other), 1 images without a record (deep/er/y.jpg)");
}

// Tools write image names relative to the data folder, to images/, or to the split's folder in it.
TEST(CocoFolder, ImagesAreFoundWhereTheirNamesLead) {
  const auto check = [](const std::string& in_name, const std::string& on_disk,
                        const std::string& relative_to) {
    const test::Scratch folder;
    CocoTree tree = test::small_coco();
    for (CocoTree& image : tree["images"]) {
      const std::string name = image.at("file_name");
      folder.write(on_disk + name,
                   test::jpeg_text(test::scene(image.at("height"), image.at("width"), 1)));
      image["file_name"] = in_name + name;
    }
    folder.write("annotations/instances_train2017.json", tree.dump());
    const auto dataset = open_dataset(folder.string(), Split::kTrain);
    EXPECT_EQ(dataset->get(1, 3).rows, 60);
    EXPECT_EQ(dataset->remarks().notes.back(),
              "the image names in " + folder.string() +
                  "/annotations/instances_train2017.json are relative to " + folder.string() +
                  relative_to);
    EXPECT_TRUE(dataset->remarks().left_out.empty()) << as_text(dataset->remarks().left_out);
  };
  check("train2017/", "train2017/", "");
  check("images/train/", "images/train/", "");
  check("", "images/train2017/", "/images/train2017");
  check("", "images/", "/images");
}

TEST(CocoFolder, NamesThatLeadNowhereAreExplained) {
  const test::Scratch folder;
  test::write_small_coco(folder);
  const auto refusal = [&](const std::string& before) {
    CocoTree tree = test::small_coco();
    for (CocoTree& image : tree["images"]) {
      image["file_name"] = before + image.at("file_name").get<std::string>();
    }
    folder.write("annotations/instances_train2017.json", tree.dump());
    return data_error([&] { open_dataset(folder.string(), Split::kTrain); });
  };
  EXPECT_NE(refusal("train2017\\").find("separated by / instead of backslashes"),
            std::string::npos);
  EXPECT_NE(
      refusal("/home/me/").find("3 images whose names lead out of the folder (/home/me/3.jpg)"),
      std::string::npos);
}

TEST(CocoFolder, ImagesOfTwoRecordsAndAnnotationsOfTwoYearsAreSaid) {
  const test::Scratch folder;
  CocoTree tree = test::small_coco();
  test::write_small_coco(folder, tree);
  EXPECT_TRUE(open_dataset(folder.string(), Split::kTrain)->remarks().warnings.empty());
  CocoTree again = test::coco_image(10, 40, 60);
  again["file_name"] = "./3.jpg";
  tree["images"].push_back(again);
  folder.write("annotations/instances_train2017.json", tree.dump());
  folder.write("annotations/instances_train.json", std::string("{}"));
  const auto warnings = open_dataset(folder.string(), Split::kTrain)->remarks().warnings;
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_EQ(warnings[0],
            "instances_train2017.json is read, and instances_train.json beside it is not, though "
            "named for the same split");
  EXPECT_EQ(warnings[1], folder.string() +
                             "/annotations/instances_train2017.json lists 1 image more than once "
                             "(for example 3.jpg): 1 of 4 entries repeat one");
}

TEST(CocoFolder, AnotherSizeThanRecordedIsABadImage) {
  const test::Scratch folder;
  test::write_small_coco(folder);
  folder.write("train2017/3.jpg", test::jpeg_text(test::scene(60, 40)));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(
      data_error([&] { dataset->get(0, 3); }),
      fmt::format(
          "{0}/train2017/3.jpg: it has 40x60 pixels, but "
          "{0}/annotations/instances_train2017.json records 60x40; the sides are swapped: the "
          "record must give the size after the EXIF rotation",
          folder.string()));
  EXPECT_NE(data_error([&] {
              dataset->get_section(0, 3, [](int64_t, int64_t) { return image::Box{0, 0, 1, 1}; });
            }),
            "");
}

// EXIF orientation is applied before the sizes are compared.
TEST(CocoFolder, ImagesAreTurnedUpright) {
  const test::Scratch folder;
  test::write_small_coco(folder);
  const image::Image lying = test::scene(60, 40);
  const std::string jpeg = test::lying_jpeg_text(lying);
  folder.write("train2017/3.jpg", jpeg);
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  const image::Image got = dataset->get(0, 3);
  EXPECT_EQ(got.rows, 40);
  EXPECT_EQ(got.cols, 60);
  const image::Image stored =
      image::decode({reinterpret_cast<const uint8_t*>(jpeg.data()), jpeg.size()}, 3);
  ASSERT_EQ(stored.rows, 60);
  // The first row on disk is the right column of the upright image.
  for (int64_t c = 0; c < 3; ++c)
    EXPECT_EQ(got.pixels[static_cast<size_t>(59 * 3 + c)], stored.pixels[static_cast<size_t>(c)]);
  const auto section = dataset->get_section(0, 3, [](int64_t rows, int64_t cols) {
    return image::Box{5, 6, rows - 9, cols - 9};
  });
  EXPECT_EQ(section.box.rows, 31);
  EXPECT_EQ(section.box.cols, 51);
}

TEST(CocoFolder, TheSampleOfCoco) {
  const auto folder = test::data_folder() / "coco-sample";
  FCM_NEED_FOLDER(folder);
  const auto train = open_dataset(folder.string(), Split::kTrain);
  const auto val = open_dataset(folder.string(), Split::kVal);
  EXPECT_EQ(train->size(), 68);
  EXPECT_EQ(val->size(), 54);
  EXPECT_EQ(train->instance_classes().names.size(), 80u);
  EXPECT_EQ(train->instance_classes().ids.back(), 90);
  EXPECT_EQ(train->instance_classes().names.front(), "person");
  int64_t all = 0, crowds = 0, without = 0;
  for (int64_t i = 0; i < train->size(); ++i) {
    const Instances objects = train->instances(i);
    all += std::ssize(objects.instances);
    crowds += std::ranges::count_if(objects.instances, &Instance::crowd);
    without += train->image_record(i).objects == 0 ? 1 : 0;
    EXPECT_TRUE(i == 0 || train->image_record(i - 1).image < objects.image);
  }
  EXPECT_EQ(all, 669);
  EXPECT_EQ(crowds, 6);
  EXPECT_EQ(without, 2);
  for (int64_t i = 0; i < val->size(); i += 9) EXPECT_EQ(val->get(i, 3).channels, 3);
}

TEST(CocoFolder, OtherSetsSayThatTheyHaveNoObjects) {
  const auto dataset = open_dataset("synthetic", Split::kTrain);
  EXPECT_FALSE(dataset->has_instances());
  EXPECT_TRUE(dataset->instance_classes().names.empty());
  EXPECT_NE(data_error([&] { dataset->instances(3); }).find("synthetic train 3"),
            std::string::npos);
  EXPECT_NE(data_error([&] { dataset->target(3, TargetKind::kInstances); }), "");
}

}  // namespace
}  // namespace fcm::loader
