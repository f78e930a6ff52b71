// Tests reading COCO instance files: valid, unusual, damaged, and truncated at every byte.
#include "fcm/loader/sources/coco_file.h"

#include "fcm/base/random.h"
#include "fcm/image/polygon_raster.h"
#include "tests/loader/coco_support.h"

namespace fcm::loader {
namespace {

using test::coco_image;
using test::coco_square;
using test::CocoTree;
using test::data_error;

class CocoFileTest : public testing::Test {
 protected:
  CocoFile read(const std::string& text) { return CocoFile(folder_.write("i.json", text)); }
  CocoFile read_tree(const CocoTree& tree) { return read(tree.dump()); }
  // The report of ignored entries if this annotation is added to the small set.
  std::string left_out_with(const CocoTree& annotation) {
    CocoTree tree = test::small_coco();
    tree["annotations"].push_back(annotation);
    const CocoFile file = read_tree(tree);
    EXPECT_EQ(file.record(0).objects, 2) << annotation.dump();
    EXPECT_EQ(file.instances(0).instances.size(), 2u);
    return as_text(file.left_out());
  }
  std::string left_out_with(const char* key, const CocoTree& value) {
    CocoTree annotation = coco_square(50, 3, 7);
    annotation[key] = value;
    return left_out_with(annotation);
  }

  test::Scratch folder_;
};

TEST_F(CocoFileTest, ImagesCategoriesAndObjectsInTheirOrder) {
  const CocoFile file = read_tree(test::small_coco());
  ASSERT_EQ(file.size(), 3);
  EXPECT_EQ(file.classes().names, (std::vector<std::string>{"cat", "dog", "brush"}));
  EXPECT_EQ(file.classes().ids, (std::vector<int64_t>{2, 7, 90}));
  EXPECT_EQ(file.classes().class_of(90), 2);
  EXPECT_EQ(file.classes().class_of(8), -1);
  EXPECT_TRUE(file.left_out().empty()) << as_text(file.left_out());
  EXPECT_EQ(file.image_name(0), "3.jpg");
  EXPECT_EQ(file.image_name(2), "9.jpg");

  const Instances first = file.instances(0);
  EXPECT_EQ(first.image, 3);
  EXPECT_EQ(first.rows, 40);
  EXPECT_EQ(first.cols, 60);
  ASSERT_EQ(first.instances.size(), 2u);
  const Instance& square = first.instances[0];
  EXPECT_EQ(square.annotation, 11);
  EXPECT_EQ(square.class_number, 1);
  EXPECT_EQ(square.box, (std::array<double, 4>{10, 10, 20, 20}));
  EXPECT_EQ(square.outlines, (std::vector<std::vector<double>>{{10, 10, 20, 10, 20, 20, 10, 20}}));
  EXPECT_FALSE(square.mask);
  EXPECT_EQ(square.area, 100.5);
  EXPECT_FALSE(square.crowd);
  EXPECT_EQ(first.instances[1].annotation, 13);
  EXPECT_EQ(first.instances[1].class_number, 2);

  const Instances second = file.instances(1);
  EXPECT_EQ(second.image, 5);
  ASSERT_EQ(second.instances.size(), 2u);
  EXPECT_EQ(second.instances[1].mask, (image::RunLengths{60, 40, {600, 60, 1740}}));
  EXPECT_TRUE(second.instances[1].outlines.empty());
  EXPECT_EQ(image::mask_area(mask_of(second.instances[0], 60, 40)), 100);
  EXPECT_NE(data_error([&] { mask_of(second.instances[1], 60, 41); }), "");

  const Instances crowds = file.instances(2);
  ASSERT_EQ(crowds.instances.size(), 1u);
  EXPECT_TRUE(crowds.instances[0].crowd);
  EXPECT_EQ(crowds.instances[0].mask->runs, (std::vector<uint32_t>{320, 10, 1206}));
  EXPECT_EQ(file.record(2).objects, 0);
  EXPECT_EQ(file.record(1).objects, 2);
  EXPECT_EQ(file.notes(),
            (std::vector<std::string>{"1 of 3 images has no annotated object except crowds; "
                                      "when a detector is trained on them, it is skipped"}));
}

TEST_F(CocoFileTest, NumbersComeBackToTheBit) {
  CocoTree annotation = coco_square(50, 3, 7);
  const std::vector<std::vector<double>> parts{{0.01, 20.07, 59.99, 0.1, 33.33, 12.345678901234},
                                               {1e-7, 2, 3, 1e6, 5.29, 6, -7.77, 8}};
  annotation["segmentation"] = parts;
  CocoTree tree = test::small_coco();
  tree["annotations"].push_back(annotation);
  KeyedRandom random(6, Purpose::kSynthetic, 0, 0);
  std::vector<double> hundredths;
  for (int i = 0; i < 5000; ++i) {
    hundredths.push_back(static_cast<double>(random.below(1'000'000)) / 100 - 100);
  }
  annotation["id"] = 51;
  annotation["segmentation"] = std::vector<std::vector<double>>{hundredths};
  tree["annotations"].push_back(annotation);
  const Instances got = read_tree(tree).instances(0);
  ASSERT_EQ(got.instances.size(), 4u);
  EXPECT_EQ(got.instances[2].outlines, parts);
  EXPECT_EQ(got.instances[3].outlines[0], hundredths);
}

TEST_F(CocoFileTest, OutlinesThatAreNoneAreLeftOut) {
  CocoTree annotation = coco_square(50, 3, 7);
  annotation["segmentation"] = {
      {1, 2, 3, 4}, {10, 10, 20, 10, 20, 20}, {1, 2, 3, 4, 5, 6, 7}, {}, 5};
  CocoTree tree = test::small_coco();
  tree["annotations"].push_back(annotation);
  const CocoFile file = read_tree(tree);
  EXPECT_EQ(file.instances(0).instances[2].outlines,
            (std::vector<std::vector<double>>{{10, 10, 20, 10, 20, 20}}));
  EXPECT_EQ(as_text(file.left_out()),
            "4 outlines of fewer than three points or an odd count of numbers (annotation 50)");
}

TEST_F(CocoFileTest, AnnotationsThatCannotBeUsedAreCounted) {
  const std::string no_outline = "1 annotations without an outline (annotation 50)";
  EXPECT_EQ(left_out_with("segmentation", CocoTree::array()), no_outline);
  EXPECT_EQ(left_out_with("segmentation", nullptr), no_outline);
  EXPECT_EQ(left_out_with("segmentation", "text"), no_outline);
  EXPECT_NE(left_out_with("segmentation", {{1, 1, 2, 2}}).find(no_outline), std::string::npos);
  const std::string bad_runs = "1 annotations with masks whose runs do not add up (annotation 50)";
  EXPECT_EQ(left_out_with("segmentation", {{"size", {40, 60}}, {"counts", {1, 2}}}), bad_runs);
  EXPECT_EQ(left_out_with("segmentation", {{"size", {40, 60}}, {"counts", {-1, 2401}}}), bad_runs);
  EXPECT_EQ(left_out_with("segmentation", {{"size", {40, 60}}, {"counts", "~"}}), bad_runs);
  EXPECT_EQ(left_out_with("segmentation", {{"size", {40, 60}}, {"counts", "P"}}), bad_runs);
  EXPECT_EQ(left_out_with("segmentation", {{"size", {40}}, {"counts", "0"}}), bad_runs);
  EXPECT_EQ(left_out_with("segmentation", {{"size", {0, 60}}, {"counts", {0}}}), bad_runs);
  EXPECT_EQ(left_out_with("segmentation", {{"size", {1e15, 60}}, {"counts", {0}}}), bad_runs);
  EXPECT_EQ(left_out_with("segmentation", CocoTree::object()), bad_runs);
  EXPECT_EQ(left_out_with("segmentation", {{"size", {60, 40}}, {"counts", {1200, 1200}}}),
            "1 annotations with masks of another size than their image (annotation 50)");
  EXPECT_EQ(left_out_with("image_id", 4), "1 annotations of unknown images (annotation 50)");
  EXPECT_EQ(left_out_with("category_id", 3), "1 annotations of unknown categories (annotation 50)");
  EXPECT_EQ(left_out_with("id", 11), "1 annotations with a repeated id (annotation 11)");
  const std::string incomplete = "1 annotations without image or category (annotation 50)";
  EXPECT_EQ(left_out_with("category_id", nullptr), incomplete);
  EXPECT_EQ(left_out_with("image_id", "3"),
            "1 annotations whose image_id is not an integer (annotation 50, image_id \"3\")");
  EXPECT_EQ(
      left_out_with("category_id", 1.5),
      "1 annotations whose category_id is not an integer (annotation 50, category_id a number "
      "that is not an integer)");
  const std::string no_box = "1 annotations without a box (annotation 50)";
  EXPECT_EQ(left_out_with("bbox", {1, 2, 3}), no_box);
  EXPECT_EQ(left_out_with("bbox", {1, 2, 3, -4}),
            "1 annotations with a box of negative width or height (annotation 50)");
  EXPECT_EQ(left_out_with("bbox", nullptr), no_box);
  const std::string far =
      "1 annotations with numbers that are non-finite or beyond 1e8 (annotation 50)";
  EXPECT_EQ(left_out_with("bbox", {1, 2, 3, 1e9}), far);
  EXPECT_EQ(left_out_with("segmentation", {{1, 1, 2, 2, 3, 1e300}}), far);
  const std::string no_number =
      "1 annotations with coordinates that are not numbers (annotation 50)";
  EXPECT_EQ(left_out_with("segmentation", {{1, 1, 2, 2, 3, "4"}}), no_number);
  EXPECT_EQ(left_out_with("bbox", {"1", "2", "3", "4"}), no_number);
  CocoTree without_id = coco_square(50, 4, 7);
  without_id.erase("id");
  EXPECT_EQ(left_out_with(without_id),
            "1 annotations of unknown images (an annotation without id, of image 4)");
  without_id["bbox"] = nullptr;
  EXPECT_EQ(left_out_with(without_id), "1 annotations without a box (entry 6 of annotations)");
  EXPECT_EQ(left_out_with(CocoTree(7)), "1 entries that are not objects (annotations 6)");
}

TEST_F(CocoFileTest, NonFiniteNumbersAreCounted) {
  for (const char* word : {"NaN", "Infinity", "-Infinity", "1e999"}) {
    std::string text = test::small_coco().dump();
    text.replace(text.find("20,10,20,20"), 2, word);  // in an outline
    EXPECT_EQ(as_text(read(text).left_out()),
              "1 annotations with numbers that are non-finite or beyond 1e8 (annotation 11)");
    text = test::small_coco().dump();
    text.replace(text.find("[10,10,10,10]") + 1, 2, word);  // in a box
    EXPECT_NE(as_text(read(text).left_out()).find("non-finite"), std::string::npos);
    text = test::small_coco().dump();
    text.replace(text.find("100.5"), 5, word);
    const CocoFile file = read(text);
    EXPECT_TRUE(file.left_out().empty());
    EXPECT_EQ(file.notes().at(1), "1 annotation has no area: the area of its box is used");
    EXPECT_EQ(file.instances(0).instances[0].area, 100);
  }
}

// Boxes without area, outside the image or larger than the image are accepted.
TEST_F(CocoFileTest, OddBoxesAreKept) {
  for (const CocoTree& box :
       {CocoTree{10, 10, 0, 0}, {-50, -50, 10, 10}, {500, 500, 10, 10}, {-10, -10, 500, 500}}) {
    CocoTree annotation = coco_square(50, 3, 7);
    annotation["bbox"] = box;
    CocoTree tree = test::small_coco();
    tree["annotations"].push_back(annotation);
    const CocoFile file = read_tree(tree);
    EXPECT_TRUE(file.left_out().empty());
    EXPECT_EQ(file.record(0).objects, 3);
  }
}

TEST_F(CocoFileTest, ImagesThatCannotBeUsedAreCounted) {
  const auto left_out = [&](const CocoTree& image) {
    CocoTree tree = test::small_coco();
    tree["images"].push_back(image);
    const CocoFile file = read_tree(tree);
    EXPECT_EQ(file.size(), 3);
    return as_text(file.left_out());
  };
  const auto changed = [](const char* key, const CocoTree& value) {
    CocoTree image = coco_image(20, 10, 10);
    image[key] = value;
    return image;
  };
  EXPECT_EQ(left_out(changed("id", "20")),
            "1 images whose id is not an integer (20.jpg, id \"20\")");
  EXPECT_EQ(left_out(changed("id", nullptr)), "1 images without id or file name (20.jpg)");
  EXPECT_EQ(left_out(changed("file_name", nullptr)), "1 images without id or file name (image 20)");
  EXPECT_EQ(left_out(changed("height", 0)),
            "1 images without a size, or above the pixel limit (20.jpg)");
  EXPECT_EQ(left_out(changed("width", 1e12)),
            "1 images without a size, or above the pixel limit (20.jpg)");
  EXPECT_EQ(left_out(changed("width", nullptr)),
            "1 images without a size, or above the pixel limit (20.jpg)");
  const std::string out = "1 images whose names lead out of the folder";
  EXPECT_EQ(left_out(changed("file_name", "/etc/passwd")), out + " (/etc/passwd)");
  EXPECT_EQ(left_out(changed("file_name", "../x.jpg")), out + " (../x.jpg)");
  EXPECT_EQ(left_out(changed("file_name", "a/../../x.jpg")), out + " (a/../../x.jpg)");
  EXPECT_EQ(left_out(coco_image(5, 1, 1)), "1 images with a repeated id (5.jpg)");
  EXPECT_EQ(left_out("x"), "1 entries that are not objects (images 4)");
}

TEST_F(CocoFileTest, CategoriesWithoutANameGoByTheirId) {
  CocoTree tree = test::small_coco();
  tree["categories"].push_back({{"id", 4}});
  tree["categories"].push_back({{"id", 2}, {"name", "again"}});
  tree["categories"].push_back({{"name", "x"}});
  const CocoFile file = read_tree(tree);
  EXPECT_EQ(file.classes().names, (std::vector<std::string>{"cat", "4", "dog", "brush"}));
  EXPECT_EQ(file.left_out().count(), 2);
}

// Some tools write ids as text. Then no image or no category is usable, and the message says why.
TEST_F(CocoFileTest, IdsThatAreTextAreTheReason) {
  CocoTree tree = test::small_coco();
  for (CocoTree& image : tree["images"]) image["id"] = image["id"].dump();
  std::string message = data_error([&] { read_tree(tree); });
  EXPECT_NE(message.find("has no usable image; left out: 3 images whose id is not an integer "
                         "(3.jpg, id \"3\")"),
            std::string::npos)
      << message;
  tree = test::small_coco();
  for (CocoTree& category : tree["categories"]) category["id"] = category["id"].dump();
  message = data_error([&] { read_tree(tree); });
  EXPECT_NE(message.find("has no categories; left out: 3 categories whose id is not an integer"),
            std::string::npos)
      << message;
}

// Unusual boxes are kept, but a warning counts them.
TEST_F(CocoFileTest, OddBoxesAreSaid) {
  const auto warnings = [&](const std::vector<CocoTree>& boxes) {
    CocoTree tree = test::small_coco();
    tree["annotations"] = CocoTree::array();
    for (size_t i = 0; i < boxes.size(); ++i) {
      tree["annotations"].push_back(coco_square(static_cast<int64_t>(i), 3, 7));
      tree["annotations"].back()["bbox"] = boxes[i];
    }
    return read_tree(tree).warnings();
  };
  const std::string file = (folder_ / "i.json").string();
  const CocoTree good{10, 10, 10, 10}, other{11, 10, 10, 10}, third{12, 10, 10, 10};
  EXPECT_TRUE(warnings({good, other, {0, 0, 60, 40}, {-0.5, -0.5, 61, 41}}).empty());
  EXPECT_EQ(warnings({good, {5, 5, 0, 3}, {5, 5, 3, 0}, other}),
            (std::vector<std::string>{"2 of 4 annotations in " + file +
                                      " have a box of no area (annotation 1)"}));
  EXPECT_EQ(warnings({good, other, {60, 1, 5, 5}, third, {-5, -5, 5, 5}}),
            (std::vector<std::string>{"2 of 5 annotations in " + file +
                                      " have a box outside its image (annotation 2)"}));
  EXPECT_EQ(warnings({good, {30, 20, 55, 38}, {31, 20, 55, 38}}),
            (std::vector<std::string>{"2 of 3 annotations in " + file +
                                      " have a box that reaches beyond its image (annotation 1); "
                                      "the four numbers must be x, y, width and height, not two "
                                      "corners"}));
  EXPECT_EQ(warnings({{0.1, 0.1, 0.5, 0.5}, {0.2, 0.1, 0.5, 0.5}}),
            (std::vector<std::string>{"2 of 2 annotations in " + file +
                                      " have a box within the first pixel of its image (annotation "
                                      "0); the four numbers must be in pixels, not shares of the "
                                      "image"}));
  EXPECT_EQ(warnings({good, other, good}),
            (std::vector<std::string>{"1 of 3 annotations in " + file +
                                      " repeats the image, category and box of an earlier one "
                                      "(annotation 2)"}));
}

TEST_F(CocoFileTest, CategoriesWithoutObjectsAndWithEqualNamesAreSaid) {
  CocoTree tree = test::small_coco();
  EXPECT_EQ(read_tree(tree).classes().objects, (std::vector<int64_t>{1, 1, 2}));
  tree["categories"].push_back({{"id", 91}, {"name", "emu"}});
  tree["categories"].push_back({{"id", 92}, {"name", "dog"}});
  tree["categories"].push_back({{"id", 93}, {"name", " "}});
  const CocoFile file = read_tree(tree);
  EXPECT_EQ(file.notes().at(1), "3 of 6 categories have no annotated object (emu, dog, 93)");
  EXPECT_EQ(file.warnings().size(), 1u);
  EXPECT_NE(file.warnings().at(0).find("the same name: \"dog\" of classes 1 and 4"),
            std::string::npos);
}

TEST_F(CocoFileTest, CrowdsInQuotesAreCrowds) {
  CocoTree tree = test::small_coco();
  tree["annotations"][0]["iscrowd"] = "1";
  tree["annotations"][4]["iscrowd"] = "0";
  const CocoFile file = read_tree(tree);
  EXPECT_TRUE(file.instances(0).instances[0].crowd);
  EXPECT_FALSE(file.instances(0).instances[1].crowd);
}

TEST_F(CocoFileTest, ASecondListIsRefused) {
  std::string text = test::small_coco().dump();
  text.insert(1, "\"images\": [],");
  EXPECT_NE(data_error([&] { read(text); }).find("a second \"images\" in the same object"),
            std::string::npos);
}

TEST_F(CocoFileTest, OtherFilesAreNamed) {
  EXPECT_NE(data_error([&] { read("[]"); }).find("other JSON, perhaps of results"),
            std::string::npos);
  for (const char* list : {"images", "annotations", "categories"}) {
    CocoTree tree = test::small_coco();
    tree.erase(list);
    EXPECT_NE(data_error([&] { read_tree(tree); }).find(fmt::format("has no list \"{}\"", list)),
              std::string::npos);
    tree[list] = 3;
    EXPECT_NE(data_error([&] { read_tree(tree); }).find("is not a list"), std::string::npos);
  }
  CocoTree tree = test::small_coco();
  tree["images"] = CocoTree::array();
  EXPECT_NE(data_error([&] { read_tree(tree); }).find("no usable image"), std::string::npos);
  tree = test::small_coco();
  tree["categories"] = CocoTree::array();
  EXPECT_NE(data_error([&] { read_tree(tree); }).find("has no categories"), std::string::npos);
}

TEST_F(CocoFileTest, CutAtEveryByte) {
  const std::string whole = test::small_coco().dump();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(data_error([&] { read(whole.substr(0, size)); }), "") << size;
  }
  EXPECT_EQ(read(whole).size(), 3);
}

TEST_F(CocoFileTest, AMillionObjectsInOneImage) {
  constexpr int64_t kObjects = 1'000'000;
  CocoTree tree = test::small_coco();
  tree.erase("annotations");
  std::string text = tree.dump();
  text.pop_back();
  text += ",\"annotations\":[";
  for (int64_t i = 1; i <= kObjects; ++i) {
    text += fmt::format(
        "{}{{\"id\":{},\"image_id\":3,\"category_id\":2,\"bbox\":[1,1,2,2],\"area\":4,\"segmentation\""
        ":[[1,1,3,1,3,3]]}}",
        i > 1 ? "," : "", i);
  }
  const CocoFile file = read(text + "]}");
  EXPECT_EQ(file.record(0).objects, kObjects);
  EXPECT_EQ(std::ssize(file.instances(0).instances), kObjects);
}

}  // namespace
}  // namespace fcm::loader
