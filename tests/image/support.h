// Helpers for image tests: the location of the sample data, and reading files.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/image/image.h"
#include "tests/support/error_of.h"

namespace fcm::test {

inline std::filesystem::path data_folder() { return FCM_SOURCE_DIR "/../shared/data"; }
inline std::filesystem::path fixtures_folder() { return FCM_SOURCE_DIR "/../shared/fixtures"; }

inline std::vector<uint8_t> bytes_of(const std::filesystem::path& path) {
  const std::string content = read_file(path, ExitCode::kData);
  return {content.begin(), content.end()};
}

// The message of the Error(kData) that `call` throws. If it throws none, the test fails and the
// message is empty.
template <class Call>
std::string data_error(const Call& call) {
  const std::string message = error_of(ExitCode::kData, call);
  EXPECT_NE(message, "");
  return message;
}

// Decodes bytes that may be damaged. Returns whether an Error(kData) refused them; an accepted
// image must have all its pixels.
inline bool is_refused(const std::vector<uint8_t>& bytes) {
  try {
    const image::Image image = image::decode(bytes, 3, {.max_pixels = 100'000});
    EXPECT_EQ(image.pixels.size(), static_cast<size_t>(image.rows * image.cols * 3));
    return false;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kData);
    return true;
  }
}

// An image of pseudo-random values that depend only on the arguments.
inline image::Image pattern(int64_t rows, int64_t cols, int64_t channels, uint32_t seed = 1) {
  image::Image image{rows, cols, channels, {}};
  image.pixels.resize(static_cast<size_t>(rows * cols * channels));
  uint32_t state = seed * 2654435761U + 1;
  for (uint8_t& pixel : image.pixels) {
    state = state * 1664525U + 1013904223U;
    pixel = static_cast<uint8_t>(state >> 24);
  }
  return image;
}

}  // namespace fcm::test

// Skips the test if the folder is absent: sample data are not part of the repository.
#define FCM_NEED_FOLDER(folder)                                                           \
  if (!std::filesystem::is_directory(folder)) {                                           \
    GTEST_SKIP() << "sample data are absent: " << std::filesystem::path(folder).string(); \
  }
