#include "fcm/loader/dataset.h"
#include "fcm/loader/sources/sources.h"
#include "tests/image/codec_support.h"
#include "tests/loader/scene_support.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;
using test::data_error;
using Words = std::vector<std::string>;
using Colour = std::array<uint8_t, 3>;

std::vector<uint8_t> map_file(int64_t rows, int64_t cols, uint8_t value) {
  image::Image map{rows, cols, 1, {}};
  map.pixels.assign(static_cast<size_t>(rows * cols), value);
  return image::encode_png(map);
}

std::vector<uint8_t> image_file() { return image::encode_png(test::pattern(3, 4, 3)); }

// Writes an image and its map into two folders.
void add_scene(const test::Scratch& folder, const std::string& images, const std::string& maps,
               const std::string& stem, uint8_t value) {
  folder.write(images + "/" + stem + ".png", image_file());
  folder.write(maps + "/" + stem + ".png", map_file(3, 4, value));
}

Words names_in(const Dataset& dataset) {
  Words names;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    names.push_back(fs::path(dataset.name(i)).filename().string());
  }
  return names;
}

TEST(SceneFolders, ImagesByNameWithTheMapsOfTheirStems) {
  const test::Scratch folder;
  add_scene(folder, "images/training", "annotations/training", "b", 2);
  add_scene(folder, "images/training", "annotations/training", "a.x", 1);
  folder.write("images/training/c.JPG", test::encode_jpeg(test::scene(6, 7)));
  folder.write("annotations/training/c.PNG", map_file(6, 7, 3));
  add_scene(folder, "images/validation", "annotations/validation", "v", 4);
  const auto train = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(names_in(*train), (Words{"a.x.png", "b.png", "c.JPG"}));
  EXPECT_TRUE(train->has_maps());
  for (uint8_t i = 0; i < 3; ++i) EXPECT_EQ(train->class_map(i).classes[0], i + 1);
  EXPECT_EQ(train->class_map(2).rows, 6);
  EXPECT_EQ(train->class_map(2).cols, 7);
  EXPECT_EQ(train->get(0, 3).pixels, test::pattern(3, 4, 3).pixels);
  EXPECT_TRUE(train->remarks().left_out.empty());
  EXPECT_TRUE(train->remarks().notes.empty());
  // A data set with maps has no labels.
  EXPECT_EQ(train->label(0), -1);
  EXPECT_TRUE(train->classes().empty());
  EXPECT_NE(train->remarks().no_labels.find("class maps"), std::string::npos);
  const auto val = open_dataset(folder.string(), Split::kVal);
  EXPECT_EQ(names_in(*val), Words{"v.png"});
  EXPECT_TRUE(has_split(folder.path(), Split::kVal));
}

TEST(SceneFolders, OtherNamesAndPlacesOfTheFolders) {
  for (const char* maps : {"annotations", "labels", "masks", "Maps"}) {
    const test::Scratch folder;
    add_scene(folder, "Images/train", std::string(maps) + "/train", "a", 1);
    add_scene(folder, "Images/val", std::string(maps) + "/val", "b", 2);
    EXPECT_EQ(names_in(*open_dataset(folder.string(), Split::kTrain)), Words{"a.png"}) << maps;
    EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->class_map(0).classes[0], 2) << maps;
  }
  const test::Scratch within;  // images and maps are in the folders of the splits
  add_scene(within, "train/images", "train/masks", "a", 1);
  add_scene(within, "val/images", "val/masks", "b", 2);
  EXPECT_EQ(names_in(*open_dataset(within.string(), Split::kVal)), Words{"b.png"});
  EXPECT_EQ(open_dataset(within.string(), Split::kTrain)->class_map(0).classes[0], 1);
  EXPECT_TRUE(has_split(within.path(), Split::kVal));
  const test::Scratch without;  // without folders of splits, each split has all images
  add_scene(without, "images", "labels", "a", 1);
  for (const Split split : {Split::kTrain, Split::kVal}) {
    EXPECT_EQ(names_in(*open_dataset(without.string(), split)), Words{"a.png"});
  }
}

TEST(SceneFolders, WhatOnlyLooksAlikeIsAnImageFolder) {
  const test::Scratch texts;  // the labels are text files with boxes
  texts.write("images/train/a.png", image_file());
  texts.write("images/val/b.png", image_file());
  texts.write("labels/train/a.txt", std::string("0 1 1 1 1"));
  EXPECT_FALSE(open_dataset(texts.string(), Split::kTrain)->has_maps());
  const test::Scratch classes;
  classes.write("cats/a.png", image_file());
  classes.write("maps/a.png", image_file());
  EXPECT_EQ(open_dataset(classes.string(), Split::kTrain)->classes(), (Words{"cats", "maps"}));
}

TEST(SceneFolders, ImagesWithoutMapsStayImages) {
  const test::Scratch folder;
  add_scene(folder, "images", "annotations", "a", 1);
  folder.write("images/b.png", image_file());
  folder.write("images/notes.txt", std::string("x"));
  folder.write("annotations/z.png", map_file(1, 1, 1));
  folder.write("readme.md", std::string("x"));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(dataset->size(), 2);
  EXPECT_EQ(dataset->get(1, 3).rows, 3);
  const std::string missing = data_error([&] { dataset->class_map(1); });
  EXPECT_NE(missing.find("b.png has no class map: looked for b.png in"), std::string::npos)
      << missing;
  EXPECT_EQ(dataset->remarks().notes, Words{"1 of 2 images has no class map (b.png)"});
  EXPECT_EQ(as_text(dataset->remarks().left_out),
            "1 .md (readme.md), 1 .txt (notes.txt), 1 maps without an image (z.png)");
}

TEST(SceneFolders, ASplitWithoutMapsOrImages) {
  const test::Scratch folder;
  add_scene(folder, "images/train", "masks/train", "a", 1);
  const std::string message = data_error([&] { open_dataset(folder.string(), Split::kVal); });
  EXPECT_NE(message.find("none for validation"), std::string::npos) << message;
  EXPECT_FALSE(has_split(folder.path(), Split::kVal));
  folder.write("images/val/b.png", image_file());  // like ADE20K's test images, it has no map
  const auto val = open_dataset(folder.string(), Split::kVal);
  EXPECT_FALSE(val->has_maps());
  EXPECT_NE(data_error([&] { val->class_map(0); }).find("does not exist"), std::string::npos);
}

TEST(SceneFolders, MapsThatCannotBeUsedAreNamed) {
  const test::Scratch folder;
  add_scene(folder, "images", "annotations", "a", 1);
  add_scene(folder, "images", "annotations", "b", 1);
  folder.write("annotations/a.png", image::encode_png(test::pattern(3, 4, 3)));
  folder.write("annotations/b.png", std::string("nothing"));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  const std::string coloured = data_error([&] { dataset->class_map(0); });
  EXPECT_NE(coloured.find("annotations/a.png: it holds colours"), std::string::npos) << coloured;
  EXPECT_NE(data_error([&] { dataset->class_map(1); }).find("annotations/b.png: it is not a PNG"),
            std::string::npos);
}

// The classes that are read from a file with this text beside the images.
MapClasses classes_with(const std::string& file, const std::string& text, Words* notes = nullptr) {
  const test::Scratch folder;
  add_scene(folder, "images", "annotations", "a", 1);
  folder.write(file, text);
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_TRUE(dataset->remarks().left_out.empty()) << as_text(dataset->remarks().left_out);
  if (notes != nullptr) *notes = dataset->remarks().notes;
  return dataset->map_classes();
}

TEST(SceneFolders, NamesOfClasses) {
  const std::string info =
      "Idx\tRatio\tTrain\tVal\tName\r\n1\t0.15\t11664\t1172\twall\r\n"
      "2\t0.1\t6046\t612\tbuilding, edifice\t\n\n3\t0.08\t8265\t796\tfloor;flooring\n";
  EXPECT_EQ(classes_with("objectInfo150.txt", info).names, (Words{"wall", "building", "floor"}));
  const MapClasses json = classes_with(
      "classes.json", R"({"about": "x", "names": ["a", "b"], "colours": [[1, 2, 3], [4, 5, 6]]})");
  EXPECT_EQ(json.names, (Words{"a", "b"}));
  EXPECT_EQ(json.colours, (std::vector<Colour>{{1, 2, 3}, {4, 5, 6}}));
  EXPECT_EQ(classes_with("classes.json", R"({"names": ["a"], "palette": [[1, 2, 3]]})").colours,
            (std::vector<Colour>{{1, 2, 3}}));
  EXPECT_EQ(classes_with("classes.json", R"(["a", "b"])").names, (Words{"a", "b"}));
  EXPECT_EQ(classes_with("classes.txt", "sky\r\nroad\n\n").names, (Words{"sky", "road"}));
  EXPECT_TRUE(classes_with("classes.txt", "sky").colours.empty());
}

TEST(SceneFolders, NamesThatCannotBeUsedAreNoted) {
  const auto note = [](const std::string& file, const std::string& text) {
    Words notes;
    EXPECT_TRUE(classes_with(file, text, &notes).names.empty());
    EXPECT_EQ(notes.size(), 1u);
    return notes.empty() ? "" : notes[0];
  };
  EXPECT_NE(note("objectInfo150.txt", "Idx Name\n1 wall\n").find("no tab-separated column Name"),
            std::string::npos);
  EXPECT_NE(note("objectInfo150.txt", "Idx\tName\n1\n").find("no name in row 1"),
            std::string::npos);
  EXPECT_NE(note("classes.json", "{").find("is not a list of names"), std::string::npos);
  EXPECT_NE(note("classes.json", R"({"names": 3})").find("is not a list"), std::string::npos);
  EXPECT_NE(note("classes.json", R"({"names": ["a"], "colours": [[1, 2]]})").find("is not"),
            std::string::npos);
  EXPECT_NE(note("classes.json", R"({"names": ["a", "b"], "colours": [[1, 2, 3]]})")
                .find("1 colours for 2 names"),
            std::string::npos);
  EXPECT_NE(note("classes.txt", "\n").find("0 class names"), std::string::npos);
}

TEST(SceneFolders, TheSampleOfAde20k) {
  const auto folder = test::data_folder() / "ade-sample";
  FCM_NEED_FOLDER(folder);
  const auto train = open_dataset(folder.string(), Split::kTrain);
  const auto val = open_dataset(folder.string(), Split::kVal);
  EXPECT_EQ(train->size(), 105);
  EXPECT_EQ(val->size(), 45);
  EXPECT_EQ(train->map_classes().names.size(), 150u);
  EXPECT_EQ(train->map_classes().names[0], "wall");
  EXPECT_EQ(train->map_classes().colours[0], (Colour{120, 120, 120}));
  EXPECT_TRUE(val->remarks().notes.empty());
  const SceneOptions options{{}, {}, 150};
  for (int64_t i = 0; i < 45; i += 11) {
    const image::Image image = val->get(i, 3);
    check_size_of_map(read_classes(*val, i, options), image.rows, image.cols, val->name(i));
  }
}

TEST(SyntheticScenes, ShapesOnABackgroundAlwaysTheSame) {
  const auto train = open_dataset("synthetic", Split::kTrain, {.wanted = TargetKind::kMap});
  const auto val = open_dataset("synthetic", Split::kVal, {.wanted = TargetKind::kMap});
  EXPECT_EQ(train->size(), 256);
  EXPECT_EQ(val->size(), 64);
  EXPECT_EQ(train->map_classes().names,
            (Words{"background", "disc", "square", "triangle", "cross", "frame"}));
  EXPECT_TRUE(train->classes().empty());
  EXPECT_EQ(train->label(3), -1);
  std::set<uint8_t> values;
  for (int64_t i = 0; i < 64; ++i) {
    const image::Image image = val->get(i, 3);
    const ClassMap map = val->class_map(i);
    ASSERT_EQ((std::array{image.rows, image.cols, map.rows, map.cols}),
              (std::array<int64_t, 4>{128, 160, 128, 160}));
    values.insert(map.classes.begin(), map.classes.end());
    // All pixels of the background have the same colour, and no other pixel has it.
    std::map<bool, std::set<Colour>> colours;
    for (size_t p = 0; p < map.classes.size(); ++p) {
      const uint8_t* const rgb = image.pixels.data() + p * 3;
      colours[map.classes[p] == 1].insert({rgb[0], rgb[1], rgb[2]});
    }
    EXPECT_EQ(colours[true].size(), 1u) << i;
    EXPECT_FALSE(colours[false].empty()) << i;
    EXPECT_FALSE(colours[false].contains(*colours[true].begin())) << i;
  }
  EXPECT_EQ(values, (std::set<uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(
      train->get(9, 3).pixels,
      open_dataset("synthetic", Split::kTrain, {.wanted = TargetKind::kMap})->get(9, 3).pixels);
  EXPECT_NE(train->get(9, 3).pixels, val->get(9, 3).pixels);
}

TEST(SyntheticScenes, CanBeTrainedOn) {
  const std::shared_ptr<const Dataset> dataset =
      open_dataset("synthetic", Split::kTrain, {.wanted = TargetKind::kMap});
  LoaderRequest request = test::scenes_request(dataset, 8, 2);
  request.classes = std::ssize(dataset->map_classes().names);
  request.pipeline->scale = {512, 128};
  request.data.image_size = {96, 96};
  Loader loader(request);
  const Batch batch = loader.next();
  EXPECT_TRUE(batch.bad.empty());
  EXPECT_EQ(batch.targets.maps().classes_BHW.size(), 8u * 96 * 96);
}

TEST(Dataset, WithoutMapsSaysSo) {
  const auto dataset = open_dataset("synthetic", Split::kTrain);
  EXPECT_FALSE(dataset->has_maps());
  EXPECT_TRUE(dataset->map_classes().names.empty());
  const std::string message = data_error([&] { dataset->target(3, TargetKind::kMap); });
  EXPECT_NE(message.find("synthetic train 3 has no class map"), std::string::npos) << message;
}

Words warnings_with(const std::string& file, const std::string& text) {
  const test::Scratch folder;
  add_scene(folder, "images", "annotations", "a", 1);
  folder.write(file, text);
  return open_dataset(folder.string(), Split::kTrain)->remarks().warnings;
}

TEST(SceneFolders, NamesThatAreBlankOrTheSameAreSaid) {
  EXPECT_TRUE(warnings_with("classes.json", R"(["a", "b"])").empty());
  EXPECT_NE(warnings_with("classes.json", R"({"names": ["a", "b", "a"]})")
                .at(0)
                .find("classes.json gives several classes the same name: \"a\" of classes 0 and 2"),
            std::string::npos);
  EXPECT_NE(warnings_with("classes.json", R"(["a", "", "b"])")
                .at(0)
                .find("classes.json has a blank name for 1 class (1): it is named by its number"),
            std::string::npos);
  EXPECT_NE(warnings_with("classes.txt", "sky\n\nroad\nSky\n").at(1).find("\"Sky\" and \"sky\""),
            std::string::npos);
  const test::Scratch folder;
  add_scene(folder, "images", "annotations", "a", 1);
  folder.write("classes.json", std::string(R"(["b"])"));
  folder.write("classes.txt", std::string("a\n"));
  EXPECT_EQ(open_dataset(folder.string(), Split::kTrain)->remarks().warnings,
            Words{"the class names are those of classes.json; classes.txt beside it is not read"});
}

// The maps are found even if another folder has annotations of another kind.
TEST(SceneFolders, TheFolderOfMapsIsTheOneThatHoldsMaps) {
  const test::Scratch folder;
  add_scene(folder, "images", "masks", "a", 1);
  folder.write("labels/a.txt", std::string("0 .5 .5 .1 .1"));
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_TRUE(dataset->has_maps());
  EXPECT_EQ(dataset->size(), 1);
  EXPECT_TRUE(dataset->remarks().warnings.empty());
  EXPECT_EQ(as_text(dataset->remarks().left_out), "1 folders (labels)");
}

TEST(SceneFolders, SeveralFoldersThatCouldBeMeantAreSaid) {
  const test::Scratch folder;
  add_scene(folder, "images", "annotations", "a", 1);
  add_scene(folder, "photos", "masks", "a", 1);
  EXPECT_EQ(open_dataset(folder.string(), Split::kTrain)->remarks().warnings,
            (Words{"images/ is read as the images, and photos/ beside it is not, though it has "
                   "images too",
                   "annotations/ is read as the maps, and masks/ beside it is not, though it has "
                   "maps too"}));
  const test::Scratch splits;
  add_scene(splits, "images/train", "masks/train", "a", 1);
  add_scene(splits, "images/Train", "masks/Train", "a", 1);
  EXPECT_EQ(open_dataset(splits.string(), Split::kTrain)->remarks().warnings.at(0),
            "images/train/ is read as the training images, and Train/ beside it is not, though "
            "named for the same split");
}

TEST(SceneFolders, ImagesThatShareAMapAreSaid) {
  const test::Scratch folder;
  add_scene(folder, "images", "annotations", "a", 1);
  folder.write("images/a.jpg", image_file());
  EXPECT_NE(open_dataset(folder.string(), Split::kTrain)
                ->remarks()
                .warnings.at(0)
                .find("1 of 2 images has the class map of another image"),
            std::string::npos);
}

}  // namespace
}  // namespace fcm::loader
