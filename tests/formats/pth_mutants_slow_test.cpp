// Reads ten thousand mutants of each of the larger stored files.
#include "tests/formats/pth_mutants.h"

namespace fcm::formats {
namespace {

TEST(PthMutantsSlow, OfEveryLargerStoredFile) {
  if (!fs::exists(stored_files())) GTEST_SKIP() << "no stored files in " << stored_files();
  for (const char* name :
       {"checkpoints/mini_legacy.pth", "checkpoints/mini_torch18_cuda.pth",
        "checkpoints/mini_model_only.pth", "checkpoints/mini_bare_state_dict.pth",
        "checkpoints/mixed_dtype.pth", "checkpoints/mixed_dtype_legacy.pth",
        "checkpoints/checkpoint-0.pth", "teachers/dino_tiny.pth", "teachers/dino_tiny_full.pth"}) {
    MutantCounts counts;
    try_mutants(stored_files() / name, 10000, counts);
    EXPECT_GT(counts.refused, 1000) << name;
    EXPECT_GT(counts.read, 100) << name;
  }
}

}  // namespace
}  // namespace fcm::formats
