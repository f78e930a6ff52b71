// Measures the memory per image and the time for listing a folder of 200,000 images.
#include <malloc.h>

#include <chrono>
#include <iostream>

#include "fcm/loader/sources/folder_listing.h"
#include "fcm/loader/sources/index_cache.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

constexpr int64_t kClasses = 1000, kImagesOfEach = 200;

uint64_t bytes_held() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(Listing, ManyImagesCostLessThan100BytesEach) {
  const test::Scratch folder;
  for (int64_t i = 0; i < kClasses * kImagesOfEach; ++i) {  // names as in ImageNet
    const int64_t c = i / kImagesOfEach;
    const auto class_folder = folder.path() / fmt::format("set/n{:08}", 1440764 + c);
    if (i % kImagesOfEach == 0) std::filesystem::create_directories(class_folder);
    std::ofstream(class_folder / fmt::format("n{:08}_{}.JPEG", 1440764 + c, 10000 + i % 30000));
  }
  const auto later = std::chrono::system_clock::now() + 2 * kMinCachedAge;
  const auto measured = [&](const char* what, const OpenOptions& options) {
    const uint64_t before = bytes_held();
    const auto start = std::chrono::steady_clock::now();
    const auto listed = folder.path() / "set";
    const NamedImages images(listed, list_folder(listed, options, later));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const auto bytes = static_cast<double>(bytes_held() - before);
    EXPECT_EQ(images.size(), kClasses * kImagesOfEach);
    const double each = bytes / static_cast<double>(images.size());
    std::cout << fmt::format("{}: {:.3f} s, {:.1f} bytes per image\n", what, seconds.count(), each);
    EXPECT_GT(each, 30);  // names alone take more, so a smaller result is a wrong measurement
    EXPECT_LT(each, 100);
  };
  const auto cache = folder.path() / "cache";
  measured("listed by one thread", {1, {}});
  measured("listed by two threads and cached", {2, cache});
  measured("remembered", {2, cache});
}

}  // namespace
}  // namespace fcm::loader
