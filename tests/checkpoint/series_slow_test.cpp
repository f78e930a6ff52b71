// RELIABILITY.md, G9, G16 and G22: random damage of checkpoints, mutants of a manifest, and 1,000
// reloads.
#include <fstream>

#include "fcm/checkpoint/manifest.h"
#include "tests/checkpoint/support.h"
#include "tests/support/mutants.h"

namespace fcm::checkpoint {
namespace {

class SeriesSlow : public TemporaryFolderTest {};

// Either the damage is detected, and the older checkpoint loads with a warning that names the
// damaged file, or all loaded values are unchanged.
TEST_F(SeriesSlow, RandomDamageIsDetectedOrHarmless) {
  const test::Series series(10'000);
  save_small(folder_, 1);
  save_small(folder_, 2);
  int64_t found = 0, harmless = 0;
  for (int64_t number = 0; number < series.cases(); ++number) {
    SCOPED_TRACE(series.place(number));
    KeyedRandom random = series.random_of(number);
    const char* names[] = {"manifest.json", "model.safetensors", "optimizer.safetensors"};
    const fs::path path = folder_ / "step-2" / names[random.below(3)];
    const std::string whole = read_file(path, ExitCode::kCheckpoint);
    const std::vector<std::byte> mutant =
        test::Mutator(test::to_bytes(whole), static_cast<uint64_t>(number),
                      static_cast<uint64_t>(series.seed()))
            .run();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(mutant.data()), std::ssize(mutant));
    RecordingReporter reporter;
    const auto loaded = load_newest(folder_, true, reporter);
    ASSERT_TRUE(loaded.has_value());
    ASSERT_TRUE(is_small_state(*loaded, loaded->step));
    if (loaded->step == 1) {
      ++found;
      ASSERT_EQ(reporter.warnings.size(), 1U);
      ASSERT_NE(reporter.warnings[0].find(path.filename()), std::string::npos);
    } else {
      ++harmless;  // white space of the manifest, or a change that cancelled out
    }
    std::ofstream(path, std::ios::binary) << whole;
  }
  test::Series::note("found", found);
  test::Series::note("harmless", harmless);
  EXPECT_GT(found, series.cases() * 9 / 10);
}

TEST_F(SeriesSlow, MutantsOfAManifest) {
  const test::Series series(100'000);
  save_small(folder_, 1);
  const std::string text = read_file(folder_ / "step-1" / "manifest.json", ExitCode::kCheckpoint);
  test::try_mutants(
      "manifest", test::to_bytes(text), ExitCode::kCheckpoint, series, [](const auto& bytes) {
        parse_manifest({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "mutant");
      });
}

int64_t resident_pages() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident;
}

TEST_F(SeriesSlow, ReloadsLeakNothing) {
  const test::Series series(1000);
  std::vector<float> values(1 << 20, 0.5F);
  const std::vector<TensorView> tensors = {
      {"weight", "F32", {1 << 20}, std::as_bytes(std::span(values))}};
  save(folder_, 1, tensors, tensors, {{"step", 1}}, {});
  const auto descriptors = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  RecordingReporter reporter;
  ASSERT_TRUE(load_newest(folder_, true, reporter).has_value());
  const int64_t files = descriptors(), pages = resident_pages();
  for (int64_t number = 0; number < series.cases(); ++number) {
    ASSERT_TRUE(load_newest(folder_, true, reporter).has_value());
  }
  const int64_t grown = (resident_pages() - pages) * 4;
  test::Series::note("kilobytes_grown", grown);
  EXPECT_LT(grown, 1024);
  EXPECT_EQ(descriptors(), files);
}

}  // namespace
}  // namespace fcm::checkpoint
