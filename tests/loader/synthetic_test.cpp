#include <map>
#include <set>

#include "fcm/loader/dataset.h"
#include "tests/loader/frame_support.h"

namespace fcm::loader {
namespace {

TEST(Synthetic, SizesAndBalancedClasses) {
  const auto train = open_dataset("synthetic", Split::kTrain);
  const auto val = open_dataset("synthetic", Split::kVal);
  EXPECT_EQ(train->size(), 2048);
  EXPECT_EQ(val->size(), 512);
  EXPECT_EQ(train->classes().size(), 10u);
  std::vector<int> counts(10);
  for (int64_t i = 0; i < val->size(); ++i) counts.at(static_cast<size_t>(val->label(i)))++;
  for (const int count : counts) EXPECT_NEAR(count, 51, 1);
}

TEST(Synthetic, AlwaysTheSameAndNeverTwice) {
  const auto train = open_dataset("synthetic", Split::kTrain);
  const auto again = open_dataset("synthetic", Split::kTrain);
  const auto val = open_dataset("synthetic", Split::kVal);
  EXPECT_EQ(train->get(33, 3).pixels, again->get(33, 3).pixels);
  EXPECT_NE(train->get(33, 3).pixels, train->get(43, 3).pixels);
  EXPECT_NE(train->get(33, 3).pixels, val->get(33, 3).pixels);
  EXPECT_EQ(train->get(33, 1).channels, 1);
}

TEST(Synthetic, EveryImageShowsTwoColoursApart) {
  const auto train = open_dataset("synthetic", Split::kTrain);
  for (int64_t i = 0; i < 200; ++i) {
    const image::Image grey = train->get(i, 1);
    const std::set<uint8_t> levels(grey.pixels.begin(), grey.pixels.end());
    ASSERT_EQ(levels.size(), 2u) << i;
    EXPECT_GT(*levels.rbegin() - *levels.begin(), 30) << i;
  }
}

// Classes are gratings. The numbers of changes between light and dark along rows and along columns
// distinguish them, whatever their colours.
TEST(Synthetic, ClassesDiffer) {
  const auto train = open_dataset("synthetic", Split::kTrain);
  const auto changes = [&](int64_t index, int64_t step) {
    const image::Image grey = train->get(index, 1);
    int count = 0;
    for (int64_t i = 0; i + step < 64 * 64; ++i) {
      count += grey.pixels[static_cast<size_t>(i)] != grey.pixels[static_cast<size_t>(i + step)];
    }
    return count;
  };
  for (int64_t i = 0; i < 200; i += 10) {
    EXPECT_LT(changes(i, 1), changes(i, 64)) << "rows " << i;
    EXPECT_GT(changes(i + 1, 1), changes(i + 1, 64)) << "columns " << i;
    EXPECT_LT(changes(i + 2, 63), changes(i + 2, 65)) << "diagonals " << i;
  }
}

std::unique_ptr<Dataset> with_objects(Split split) {
  return open_dataset("synthetic", split, {.wanted = TargetKind::kInstances});
}

TEST(SyntheticObjects, AlwaysTheSameAndOfBothOrientations) {
  const auto train = with_objects(Split::kTrain), val = with_objects(Split::kVal);
  EXPECT_EQ(train->size(), 256);
  EXPECT_EQ(val->size(), 64);
  EXPECT_EQ(train->instance_classes().names,
            (std::vector<std::string>{"disc", "square", "triangle", "cross"}));
  EXPECT_EQ(train->instance_classes().ids, (std::vector<int64_t>{1, 2, 4, 7}));
  EXPECT_TRUE(train->classes().empty());
  EXPECT_NE(train->remarks().no_labels, "");
  EXPECT_EQ(train->name(3), "synthetic train 3");
  EXPECT_EQ(train->get(9, 3).pixels, with_objects(Split::kTrain)->get(9, 3).pixels);
  EXPECT_NE(train->get(9, 3).pixels, val->get(9, 3).pixels);
  int64_t wide = 0;
  std::map<int64_t, int64_t> of_class, of_count;
  for (int64_t i = 0; i < train->size(); ++i) {
    const ImageRecord record = train->image_record(i);
    const Instances objects = train->instances(i);
    wide += record.is_wide() ? 1 : 0;
    EXPECT_EQ(record.objects, std::ssize(objects.instances));
    EXPECT_EQ(record.image, objects.image);
    EXPECT_EQ(record.rows * record.cols, 128 * 160);
    ++of_count[record.objects];
    for (const Instance& object : objects.instances) ++of_class[object.class_number];
  }
  EXPECT_NEAR(wide, 128, 30);
  EXPECT_EQ(of_class.size(), 4u);
  EXPECT_EQ(of_count.begin()->first, 1);
  EXPECT_EQ(of_count.rbegin()->first, 6);
}

// The pixels inside an outline have one colour, except where a later object covers them. The pixels
// outside of all outlines have one colour too.
TEST(SyntheticObjects, OutlinesAreWhatIsDrawn) {
  const auto train = with_objects(Split::kTrain);
  for (int64_t i = 0; i < 60; ++i) {
    const Instances objects = train->instances(i);
    const image::Image image = train->get(i, 3);
    ASSERT_EQ(image.rows, objects.rows);
    ASSERT_EQ(image.cols, objects.cols);
    std::vector<int64_t> owner(static_cast<size_t>(image.rows * image.cols), -1);
    for (size_t k = 0; k < objects.instances.size(); ++k) {
      const Instance& object = objects.instances[k];
      const auto mask = image::decode_mask(mask_of(object, image.rows, image.cols));
      int64_t area = 0;
      for (size_t p = 0; p < mask.size(); ++p) {
        area += mask[p];
        if (mask[p] != 0) owner[p] = static_cast<int64_t>(k);
      }
      EXPECT_EQ(static_cast<double>(area), object.area);
      EXPECT_GT(area, 100);
      EXPECT_TRUE(object.box[0] >= 0 && object.box[1] >= 0 &&
                  object.box[2] <= static_cast<double>(image.cols) &&
                  object.box[3] <= static_cast<double>(image.rows));
    }
    std::map<int64_t, std::set<std::array<uint8_t, 3>>> colours;
    for (size_t p = 0; p < owner.size(); ++p) {
      const uint8_t* const rgb = image.pixels.data() + 3 * p;
      colours[owner[p]].insert({rgb[0], rgb[1], rgb[2]});
    }
    for (const auto& [object, seen] : colours) ASSERT_EQ(seen.size(), 1u) << i;
    EXPECT_EQ(colours.size(), objects.instances.size() + 1) << i;
  }
}

TEST(SyntheticObjects, CanBeTrainedOn) {
  LoaderRequest request;
  request.dataset = with_objects(Split::kTrain);
  request.data = test::small_options(128);
  request.targets = TargetKind::kInstances;
  request.batch_size = 16;
  request.threads = 2;
  request.jitter = JitterOptions{{0.5, 1.5}, 128};
  Loader loader(request);
  size_t objects = 0;
  for (int step = 0; step < 4; ++step) {
    const Batch batch = loader.next();
    EXPECT_TRUE(batch.bad.empty());
    for (const Instances& one : batch.targets.instances()) objects += one.instances.size();
  }
  EXPECT_GT(objects, 100u);
}

}  // namespace
}  // namespace fcm::loader
