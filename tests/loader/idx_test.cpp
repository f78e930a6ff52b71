#include <zlib.h>

#include "fcm/loader/dataset.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

using test::data_error;
using IdxBytes = std::vector<uint8_t>;

void put32(IdxBytes& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<uint8_t>(value >> shift));
}

IdxBytes images(uint32_t count, uint32_t rows, uint32_t cols) {
  IdxBytes bytes;
  for (const uint32_t word : {0x803U, count, rows, cols}) put32(bytes, word);
  for (uint32_t i = 0; i < count * rows * cols; ++i) bytes.push_back(static_cast<uint8_t>(i * 7));
  return bytes;
}

IdxBytes labels(uint32_t count) {
  IdxBytes bytes;
  put32(bytes, 0x801);
  put32(bytes, count);
  for (uint32_t i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(i % 3));
  return bytes;
}

IdxBytes packed(const IdxBytes& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  IdxBytes out(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

IdxBytes cut(IdxBytes bytes, size_t less) {
  bytes.resize(bytes.size() - less);
  return bytes;
}

IdxBytes longer(IdxBytes bytes) {
  bytes.push_back(1);
  return bytes;
}

TEST(Idx, PlainAndPackedFilesHoldTheSameImages) {
  const test::Scratch plain, gzip;
  plain.write("train-images-idx3-ubyte", images(5, 3, 4));
  plain.write("train-labels-idx1-ubyte", labels(5));
  plain.write("t10k-images-idx3-ubyte", images(2, 3, 4));
  plain.write("t10k-labels-idx1-ubyte", labels(2));
  const auto train = open_dataset(plain.string(), Split::kTrain);
  EXPECT_EQ(train->size(), 5);
  EXPECT_EQ(train->classes(), (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(train->label(4), 1);
  const image::Image image = train->get(1, 1);
  EXPECT_EQ(image.rows, 3);
  EXPECT_EQ(image.cols, 4);
  EXPECT_EQ(image.pixels[2], static_cast<uint8_t>((12 + 2) * 7));
  const image::Image rgb = train->get(1, 3);
  for (size_t i = 0; i < rgb.pixels.size(); ++i) EXPECT_EQ(rgb.pixels[i], image.pixels[i / 3]);
  EXPECT_EQ(open_dataset(plain.string(), Split::kVal)->size(), 2);
  gzip.write("train-images-idx3-ubyte.gz", packed(images(5, 3, 4)));
  const auto file = gzip.write("train-labels-idx1-ubyte.gz", packed(labels(5)));
  const auto again = open_dataset(gzip.string(), Split::kTrain);
  EXPECT_EQ(again->get(1, 1).pixels, image.pixels);
  const auto one_file =
      open_dataset((gzip.path() / "train-images-idx3-ubyte.gz").string(), Split::kVal);
  EXPECT_EQ(one_file->size(), 5);
}

struct Damage {
  const char* what;
  IdxBytes images, labels;
  const char* reason;
  bool of_labels = false;  // only the file of labels is damaged
};

std::vector<Damage> damages() {
  IdxBytes wrong_magic = images(5, 3, 4), labels_magic = labels(5), no_rows = images(5, 3, 4);
  wrong_magic[2] = 9;
  labels_magic[3] = 3;
  no_rows[11] = 0;
  IdxBytes huge = images(5, 3, 4);
  for (size_t i = 4; i < 8; ++i) huge[i] = 0xFF;
  return {{"magic", wrong_magic, labels(5), "is not an IDX file"},
          {"magic of the labels", images(5, 3, 4), labels_magic, "is not an IDX file", true},
          {"no rows", no_rows, labels(5), "claims"},
          {"more images than bytes", huge, labels(5), ""},
          {"cut", cut(images(5, 3, 4), 1), labels(5), "truncated"},
          {"cut labels", images(5, 3, 4), cut(labels(5), 1), "truncated", true},
          {"trailing byte", longer(images(5, 3, 4)), labels(5), "trailing"},
          {"trailing label", images(5, 3, 4), longer(labels(5)), "trailing", true},
          {"fewer labels", images(5, 3, 4), labels(4), "4 labels", true},
          {"shorter than a header", IdxBytes{0, 0, 8}, labels(5), "too short"},
          {"empty", IdxBytes{}, labels(5), ""}};
}

// The error of opening the folder. If only the labels are damaged, opening succeeds; then returns
// the remark that says why there are no labels.
std::string complaint(const test::Scratch& folder, const Damage& damage) {
  if (!damage.of_labels) {
    return data_error([&] { open_dataset(folder.string(), Split::kTrain); });
  }
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(dataset->size(), 5);
  EXPECT_EQ(dataset->get(4, 1).rows, 3);
  EXPECT_TRUE(dataset->classes().empty());
  EXPECT_EQ(dataset->remarks().notes.size(), 1u);
  return dataset->remarks().no_labels;
}

TEST(Idx, DamageIsNamed) {
  for (const Damage& damage : damages()) {
    SCOPED_TRACE(damage.what);
    const test::Scratch folder;
    folder.write("train-images-idx3-ubyte", damage.images);
    folder.write("train-labels-idx1-ubyte", damage.labels);
    const auto message = complaint(folder, damage);
    EXPECT_NE(message.find(damage.reason), std::string::npos) << message;
  }
}

TEST(Idx, DamageInsidePackedFilesIsNamed) {
  for (const Damage& damage : damages()) {
    SCOPED_TRACE(damage.what);
    const test::Scratch folder;
    folder.write("train-images-idx3-ubyte.gz", packed(damage.images));
    folder.write("train-labels-idx1-ubyte.gz", packed(damage.labels));
    const auto message = complaint(folder, damage);
    EXPECT_NE(message.find(damage.reason), std::string::npos) << message;
  }
}

TEST(Idx, DamageOfThePackingItselfIsNamed) {
  const IdxBytes sound = packed(images(50, 8, 8));
  IdxBytes checksum = sound;
  checksum[checksum.size() - 8] ^= 1;
  const std::vector<std::pair<IdxBytes, std::string>> cases{
      {cut(sound, 1), "truncated"},
      {cut(sound, sound.size() / 2), "truncated"},
      {longer(sound), "trailing"},
      {checksum, "damaged"},
      {images(50, 8, 8), "not gzip"}};
  for (const auto& [bytes, reason] : cases) {
    const test::Scratch folder;
    folder.write("train-images-idx3-ubyte.gz", bytes);
    folder.write("train-labels-idx1-ubyte.gz", packed(labels(50)));
    const auto message = data_error([&] { open_dataset(folder.string(), Split::kTrain); });
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  }
}

TEST(Idx, MissingLabelsAreNamed) {
  const test::Scratch folder;
  folder.write("train-images-idx3-ubyte", images(5, 3, 4));
  const auto unlabelled = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(unlabelled->size(), 5);
  EXPECT_TRUE(unlabelled->classes().empty());
  EXPECT_NE(unlabelled->remarks().no_labels.find("train-labels-idx1-ubyte"), std::string::npos);
  EXPECT_NE(data_error([&] { open_dataset(folder.string(), Split::kVal); }).find("t10k"),
            std::string::npos);
}

// The kind of file that is most frequent decides the kind of a folder. The error is about the IDX
// file only if there is nothing else.
TEST(Idx, AStrayOrDamagedFileBesideClassFoldersDoesNotDecide) {
  for (const IdxBytes& bytes : {IdxBytes{}, IdxBytes{1, 2, 3}, packed(images(5, 3, 4))}) {
    const test::Scratch folder;
    folder.write("train-images-idx3-ubyte.gz", bytes);
    EXPECT_EQ(data_error([&] {
                open_dataset(folder.string(), Split::kVal);
              }).find("has no t10k-images-idx3-ubyte") != std::string::npos,
              true);
    folder.write("a/1.png", image::encode_png(test::pattern(3, 4, 3, 1)));
    folder.write("b/1.png", image::encode_png(test::pattern(3, 4, 3, 2)));
    const auto dataset = open_dataset(folder.string(), Split::kTrain);
    EXPECT_EQ(dataset->classes(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(as_text(dataset->remarks().left_out), "1 .gz (train-images-idx3-ubyte.gz)");
  }
  const test::Scratch sound, flat;
  sound.write("train-images-idx3-ubyte", images(5, 3, 4));
  sound.write("examples/1.png", image::encode_png(test::pattern(3, 4, 3, 1)));
  EXPECT_EQ(open_dataset(sound.string(), Split::kTrain)->size(), 5);
  flat.write("train-images-idx3-ubyte", IdxBytes{});
  flat.write("1.png", image::encode_png(test::pattern(3, 4, 3, 1)));
  EXPECT_EQ(open_dataset(flat.string(), Split::kTrain)->size(), 1);
}

TEST(Idx, LabelsThatNoImageHasAreNoted) {
  const test::Scratch folder;
  folder.write("train-images-idx3-ubyte", images(2, 3, 4));
  IdxBytes far = labels(2);
  far[8] = 4;
  folder.write("train-labels-idx1-ubyte", far);
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  EXPECT_TRUE(dataset->remarks().only_numbered);
  EXPECT_EQ(dataset->remarks().notes.at(0),
            "labels go up to 4, but no image has 0, 2, 3 (3 of 5): a classifier gets 5 classes");
}

TEST(FashionMnist, TheDebianPackage) {
  if (!std::filesystem::is_directory("/usr/share/datasets/fashion-mnist")) {
    EXPECT_NE(data_error([] {
                open_dataset("fashion-mnist", Split::kTrain);
              }).find("dataset-fashion-mnist"),
              std::string::npos);
    GTEST_SKIP() << "the package dataset-fashion-mnist is not installed";
  }
  const auto val = open_dataset("fashion-mnist", Split::kVal);
  EXPECT_EQ(val->size(), 10000);
  EXPECT_EQ(val->classes().size(), 10u);
  EXPECT_EQ(val->classes()[9], "Ankle boot");
  // The first test image is an ankle boot, and each class has a thousand images.
  EXPECT_EQ(val->label(0), 9);
  std::vector<int> counts(10);
  for (int64_t i = 0; i < val->size(); ++i) counts[static_cast<size_t>(val->label(i))]++;
  EXPECT_EQ(counts, std::vector<int>(10, 1000));
  EXPECT_EQ(val->get(0, 1).rows, 28);
  EXPECT_EQ(open_dataset("fashion-mnist", Split::kTrain)->size(), 60000);
}

}  // namespace
}  // namespace fcm::loader
