// The description of a data set, which checkpoints and results store.
#include "fcm/tasks/image_set.h"

#include <gtest/gtest.h>

#include <functional>

#include "fcm/tasks/segmentation_sheets.h"
#include "tests/support/scratch.h"
#include "tests/tasks/drawn_set.h"
#include "tests/tasks/scenes.h"

namespace fcm::tasks {
namespace {

using nlohmann::json;
using tests::DrawnSet;
using DrawnImages = std::vector<DrawnSet::DrawnImage>;

const std::vector<std::string> kClasses = {"a", "b"};

DrawnImages some(const std::string& folder) {
  return {{folder + "/train/a/1.png", 0, 10},
          {folder + "/train/a/2.png", 0, 20},
          {folder + "/train/b/1.png", 1, 30}};
}

ImageSet described(DrawnImages images, const std::string& data,
                   std::vector<std::string> classes = kClasses) {
  return describe_images(DrawnSet(std::move(images), std::move(classes)), data,
                         loader::Split::kTrain);
}

TEST(ImageSet, SaysHowManyOfWhat) {
  const ImageSet set = described(some("here"), "here");
  EXPECT_EQ(set.images, 3);
  EXPECT_EQ(set.split, "train");
  EXPECT_EQ(set.classes, kClasses);
  EXPECT_EQ(set.list_hash.size(), 32u);
  EXPECT_EQ(described(some("here"), "here", {}).classes_hash, "");
}

TEST(ImageSet, KeepsTheColoursOfAMapsClasses) {
  const test::Scratch scratch;
  tests::write_scenes(scratch.path(), 1, 1);
  const auto maps = loader::open_dataset(scratch.path().string(), loader::Split::kTrain,
                                         {.wanted = loader::TargetKind::kMap});
  const ImageSet set = describe_images(*maps, scratch.path().string(), loader::Split::kTrain);
  ASSERT_EQ(set.colours.size(), 6u);
  const std::optional<ImageSet> stored = stored_set({{kTrainedOn, to_json(set)}}, kTrainedOn);
  EXPECT_EQ(stored->colours, maps->map_classes().colours);
  EXPECT_EQ(class_colours_of(stored, 6), set.colours);
  EXPECT_TRUE(class_colours_of(stored, 7).empty()) << "one class has no colour";
  EXPECT_TRUE(class_colours_of(described(some("here"), "here"), 2).empty());
  EXPECT_FALSE(summary_of(set).contains("colours"));
}

TEST(ImageSet, IsTheSameWhereverItLies) {
  const ImageSet set = described(some("here"), "here");
  for (const std::string place : {"/elsewhere/deep", "here/", "./there"}) {
    const std::string folder = place.ends_with('/') ? place.substr(0, place.size() - 1) : place;
    EXPECT_EQ(described(some(folder), place).list_hash, set.list_hash) << place;
  }
  // Paths beside a list and names in a packed file give the same hash as paths in the folder.
  EXPECT_EQ(described(some("here"), "here/list.txt").list_hash, set.list_hash);
  DrawnImages packed = some("");
  for (auto& image : packed) image.name = "set.pack:" + image.name.substr(1);
  EXPECT_EQ(described(packed, "set.pack").list_hash, set.list_hash);
}

TEST(ImageSet, ChangesWithEveryNameClassAndPlace) {
  const std::string hash = described(some("d"), "d").list_hash;
  for (const auto& change : std::vector<std::function<void(DrawnImages&)>>{
           [](DrawnImages& list) { list.pop_back(); },
           [](DrawnImages& list) { std::swap(list[0], list[1]); },
           [](DrawnImages& list) { list[2].name = "d/train/b/3.png"; },
           [](DrawnImages& list) { list[1].label = 1; },
           [](DrawnImages& list) { list[1].label = -2; }}) {
    DrawnImages list = some("d");
    change(list);
    EXPECT_NE(described(list, "d").list_hash, hash);
  }
  EXPECT_NE(described(some("d"), "d", {"b", "a"}).classes_hash,
            described(some("d"), "d").classes_hash);
  EXPECT_NE(described(some("d"), "d", {"ab", ""}).classes_hash,
            described(some("d"), "d", {"a", "b"}).classes_hash);
}

TEST(ImageSet, TheSameImagesAreKnownByOtherNames) {
  DrawnImages renamed = some("x");
  for (auto& image : renamed) image.name += ".png";
  const ImageSet set = described(some("d"), "d");
  EXPECT_TRUE(same_images(set, described(renamed, "x")));
  EXPECT_TRUE(note_on_overlap(set, described(renamed, "x")).has_value());
  DrawnImages other = some("d");
  other[1].grey = 21;
  EXPECT_FALSE(same_images(set, described(other, "d")));
  EXPECT_NE(note_on_overlap(set, described(other, "d"))->find("2 of 3 images"), std::string::npos);
  DrawnImages new_ones = some("d");
  for (auto& image : new_ones) image.grey += 100;
  EXPECT_EQ(note_on_overlap(set, described(new_ones, "d")), std::nullopt);
  other.pop_back();
  EXPECT_FALSE(same_images(set, described(other, "d")));
  EXPECT_FALSE(same_images(ImageSet{}, ImageSet{}))
      << "an empty description equals no set, not even itself";
  other[0].grey = 255;
  EXPECT_NO_THROW(described(other, "d")) << "an unreadable image is no error";
}

TEST(ImageSet, GoesThroughAStateAndBack) {
  const ImageSet set = described(some("d"), "d", {"a", "b\xff", "\xc3\xa9"});
  EXPECT_EQ(set.classes[1], "b\\xff");
  EXPECT_EQ(set.classes[2], "\xc3\xa9") << "valid UTF-8 stays unchanged";
  const json state = json::parse(json{{kTrainedOn, to_json(set)}}.dump());
  const std::optional<ImageSet> back = stored_set(state, kTrainedOn);
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), to_json(set));
  EXPECT_FALSE(back->only_numbered);
  json earlier = state;
  earlier.at(kTrainedOn).erase("only_numbered");
  earlier.at(kTrainedOn)["classes"] = {"0", "1"};
  EXPECT_TRUE(stored_set(earlier, kTrainedOn)->only_numbered)
      << "earlier versions did not store only_numbered, so the names decide";
  EXPECT_FALSE(summary_of(set).contains(kContentSample));
  EXPECT_EQ(summary_of(set).at("classes"), 3);
}

TEST(ImageSet, WhatIsNotOursIsNotKnown) {
  for (const char* text :
       {"null", "[]", "{}", R"({"trained_on": 3})", R"({"trained_on": {"images": "many"}})",
        R"({"trained_on": {"classes": [1, 2]}})"}) {
    EXPECT_EQ(stored_set(json::parse(text), kTrainedOn), std::nullopt) << text;
  }
}

TEST(ImageSet, TheFirstClassThatDiffersIsNamed) {
  EXPECT_EQ(first_difference({"a", "b"}, {"a", "b"}), "");
  EXPECT_EQ(first_difference({"a", "b"}, {"a", "c"}), "class 1 was \"b\" and is \"c\"");
  EXPECT_EQ(first_difference({"a", "b"}, {"a"}), "there were 2 classes and are 1");
  EXPECT_EQ(class_list({"a", "b", "c", "d", "e", "f"}), "a, b, c, d, e, ... (6 in all)");
}

}  // namespace
}  // namespace fcm::tasks
