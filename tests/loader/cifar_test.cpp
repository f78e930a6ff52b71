#include "fcm/loader/dataset.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

using test::data_error;
using Bytes = std::vector<uint8_t>;

// All pixels of record r are (r, 100 + r, 200 + r), except the first, which is (1, 2, 3).
Bytes records(int count, std::vector<uint8_t> (*label)(int)) {
  Bytes bytes;
  for (int r = 0; r < count; ++r) {
    for (const uint8_t byte : label(r)) bytes.push_back(byte);
    for (int plane = 0; plane < 3; ++plane) {
      bytes.push_back(static_cast<uint8_t>(plane + 1));
      bytes.insert(bytes.end(), 1023, static_cast<uint8_t>(100 * plane + r));
    }
  }
  return bytes;
}
std::vector<uint8_t> ten(int r) { return {static_cast<uint8_t>(r % 10)}; }
std::vector<uint8_t> hundred(int r) {
  return {static_cast<uint8_t>(r % 20), static_cast<uint8_t>(40 + r)};
}

TEST(Cifar, FolderOfTen) {
  const test::Scratch folder;
  folder.write("data_batch_1.bin", records(12, ten));
  folder.write("data_batch_2.bin", records(3, ten));
  folder.write("test_batch.bin", records(4, ten));
  folder.write(
      "batches.meta.txt",
      std::string("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"));
  const auto train = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(train->size(), 15);
  EXPECT_EQ(train->label(11), 1);
  EXPECT_EQ(train->classes().at(6), "frog");
  const image::Image image = train->get(5, 3);
  EXPECT_EQ(image.rows, 32);
  EXPECT_EQ((Bytes{image.pixels.begin(), image.pixels.begin() + 6}), (Bytes{1, 2, 3, 5, 105, 205}));
  const image::Image grey = train->get(5, 1);
  EXPECT_NEAR(grey.pixels[1], 0.299 * 5 + 0.587 * 105 + 0.114 * 205, 0.51);
  EXPECT_EQ(open_dataset(folder.string(), Split::kVal)->size(), 4);
}

TEST(Cifar, FolderOfAHundredInsideAnother) {
  const test::Scratch folder;
  folder.write("cifar-100-binary/train.bin", records(7, hundred));
  const auto train = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(train->label(3), 43);
  EXPECT_EQ(train->classes().size(), 100u);
  EXPECT_EQ(train->get(0, 3).pixels[1], 2);
  EXPECT_NE(data_error([&] { open_dataset(folder.string(), Split::kVal); }).find("test.bin"),
            std::string::npos);
}

TEST(Cifar, OneFileServesBothSplits) {
  const test::Scratch folder;
  const auto file = folder.write("some.bin", records(6, ten)).string();
  EXPECT_EQ(open_dataset(file, Split::kTrain)->size(), 6);
  EXPECT_EQ(open_dataset(file, Split::kVal)->size(), 6);
}

TEST(Cifar, DamageIsNamed) {
  Bytes cut = records(3, ten), longer = cut;
  cut.pop_back();
  longer.push_back(0);
  for (const auto& [bytes, reason] : std::vector<std::pair<Bytes, std::string>>{
           {cut, "truncated"}, {longer, "truncated or of another kind"}, {Bytes{}, "empty"}}) {
    const test::Scratch folder;
    folder.write("data_batch_1.bin", records(3, ten));
    folder.write("data_batch_2.bin", bytes);
    const auto message = data_error([&] { open_dataset(folder.string(), Split::kTrain); });
    EXPECT_NE(message.find(reason), std::string::npos) << message;
    EXPECT_NE(message.find("data_batch_2.bin"), std::string::npos) << message;
  }
}

TEST(Cifar, ALabelOutOfRangeConcernsItsImageAlone) {
  const test::Scratch folder;
  Bytes bytes = records(3, ten);
  bytes[2 * 3073] = 10;
  folder.write("data_batch_1.bin", bytes);
  folder.write("notes.md", std::string("x"));
  const auto train = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(train->size(), 3);
  EXPECT_EQ(train->get(2, 3).rows, 32);
  EXPECT_GE(train->label(1), 0);
  EXPECT_NE(data_error([&] { train->label(2); }).find("has label 10, but there are 10 classes"),
            std::string::npos);
  EXPECT_EQ(train->remarks().bad_labels, 1);
  EXPECT_NE(train->remarks().first_bad_label.find("record 2"), std::string::npos);
  EXPECT_EQ(as_text(train->remarks().left_out), "1 .md (notes.md)");
}

TEST(Cifar, PicklesForPythonAreCalledSo) {
  const test::Scratch folder;
  folder.write("cifar-10-batches-py/data_batch_1", std::string("x"));
  EXPECT_NE(data_error([&] { open_dataset(folder.string(), Split::kTrain); }).find("pickles"),
            std::string::npos);
}

TEST(Cifar, TenAndAHundredDoNotMix) {
  const test::Scratch folder;
  folder.write("data_batch_1.bin", records(3, ten));
  folder.write("data_batch_2.bin", records(3, hundred));
  EXPECT_NE(data_error([&] { open_dataset(folder.string(), Split::kTrain); }).find("mixes"),
            std::string::npos);
}

TEST(Cifar, NamesOfAnotherNumberOfClassesAreSaid) {
  const test::Scratch folder;
  folder.write("data_batch_1.bin", records(12, ten));
  folder.write("batches.meta.txt", std::string("cat\ndog\n"));
  const auto few = open_dataset(folder.string(), Split::kTrain);
  EXPECT_EQ(few->classes().at(1), "1");
  EXPECT_EQ(few->remarks().notes.at(0),
            (folder / "batches.meta.txt").string() +
                " has 2 names, expected 10: classes are named by their numbers");
  folder.write("batches.meta.txt", std::string("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n"));
  EXPECT_EQ(open_dataset(folder.string(), Split::kTrain)->classes().at(0), "0");
}

}  // namespace
}  // namespace fcm::loader
