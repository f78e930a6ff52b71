#include "fcm/formats/feature_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/formats/safetensors.h"
#include "fcm/formats/tensor_file.h"
#include "tests/formats/support.h"

namespace fcm::formats {
namespace {

using FeatureFileTest = TemporaryFolderTest;

const std::vector<float> kRows = {1, 2, 3, -4, 5.5F, 6};

void write(const fs::path& path, int64_t most_rows) {
  FeatureFile file(path, 3, most_rows, {{"tokens", "mean"}});
  file.add(std::span(kRows).first(3), std::vector<int64_t>{7});
  file.add(std::span(kRows).last(3), std::vector<int64_t>{-1});
  EXPECT_FALSE(fs::exists(path));
  file.finish();
}

TEST_F(FeatureFileTest, NpyIsWhatItsFormatSays) {
  write(folder_ / "f.npy", 100'000'000'000);  // the header has room for a longer shape
  const std::string bytes = read_file(folder_ / "f.npy", ExitCode::kUsage);
  ASSERT_EQ(bytes.size(), 128 + 6 * sizeof(float));
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));  // 0x76 = 118 bytes
  const std::string header = bytes.substr(10, 118);
  EXPECT_TRUE(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   "));
  EXPECT_EQ(header.back(), '\n');
  EXPECT_EQ(std::memcmp(bytes.data() + 128, kRows.data(), 6 * sizeof(float)), 0);

  EXPECT_EQ(labels_path(folder_ / "f.npy"), folder_ / "f.labels.npy");
  const std::string labels = read_file(folder_ / "f.labels.npy", ExitCode::kUsage);
  EXPECT_NE(labels.find("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"),
            std::string::npos);
  const int64_t expected[] = {7, -1};
  ASSERT_EQ(labels.size(), 128 + sizeof(expected));
  EXPECT_EQ(std::memcmp(labels.data() + 128, expected, sizeof(expected)), 0);
}

TEST_F(FeatureFileTest, SafetensorsReadsBackWhetherOrNotAllRowsCame) {
  for (const int64_t most : {2, 3, 1'000'000}) {
    const fs::path path = folder_ / (std::to_string(most) + ".safetensors");
    write(path, most);
    const TensorFile file = read_safetensors(path);
    const TensorView* features = file.find("features");
    ASSERT_NE(features, nullptr);
    EXPECT_EQ(features->shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(std::memcmp(features->bytes.data(), kRows.data(), 6 * sizeof(float)), 0);
    const TensorView* labels = file.find("labels");
    ASSERT_NE(labels, nullptr);
    EXPECT_EQ(labels->dtype, "I64");
    EXPECT_EQ(labels->shape, std::vector<int64_t>{2});
    EXPECT_EQ(file.metadata.at("tokens"), "mean");
  }
}

TEST_F(FeatureFileTest, WhatIsNotFinishedLeavesNothing) {
  for (const char* name : {"f.npy", "f.safetensors"}) {
    FeatureFile file(folder_ / name, 3, 2, {});
    file.add(kRows, std::vector<int64_t>{1, 2});
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(FeatureFileTest, RowsThatDoNotFitAreABrokenPromise) {
  FeatureFile file(folder_ / "f.npy", 3, 1, {});
  EXPECT_ANY_THROW(file.add(std::span(kRows).first(4), std::vector<int64_t>{1}));
  EXPECT_ANY_THROW(file.add(kRows, std::vector<int64_t>{1, 2}));
}

}  // namespace
}  // namespace fcm::formats
