// Reads ten thousand mutants of each small stored file, and of a file that this program writes.
#include "tests/formats/pth_mutants.h"

namespace fcm::formats {
namespace {

constexpr uint64_t kFiles = 10000;

TEST(PthMutants, OfSmallStoredFiles) {
  if (!fs::exists(stored_files())) GTEST_SKIP() << "no stored files in " << stored_files();
  for (const char* name : {"views.pth", "views_legacy.pth"}) {
    MutantCounts counts;
    try_mutants(stored_files() / "checkpoints" / name, kFiles, counts);
    EXPECT_GT(counts.refused, 1000) << name;
    EXPECT_GT(counts.read, 500) << name;  // mutants with changes in values, locations or texts
  }
}

class PthMutantsOfOurs : public TemporaryFolderTest {};

TEST_F(PthMutantsOfOurs, FilesWrittenHere) {
  const SmallState small(3);
  const fs::path path = folder_ / "ours.pth";
  Value::Dict root;
  root.items.emplace_back(Value{std::string("weight")}, Value{Value::Tensor{0, true}});
  root.items.emplace_back(Value{std::string("count")}, Value{Value::Tensor{1, false}});
  root.items.emplace_back(Value{std::string("args")}, Value{Value::List{{0.5}, {true}, {}}});
  write_pth(path, {root}, small.model());
  MutantCounts counts;
  try_mutants(path, kFiles, counts);
  EXPECT_GT(counts.refused, 1000);
  EXPECT_GT(counts.read, 500);
}

// Every truncation is detected, because the reader checks the end of both containers.
TEST(PthMutants, EveryTruncationIsRefused) {
  if (!fs::exists(stored_files())) GTEST_SKIP() << "no stored files in " << stored_files();
  for (const char* name : {"views.pth", "views_legacy.pth"}) {
    const std::vector<std::byte> whole = bytes_of_file(stored_files() / "checkpoints" / name);
    for (size_t size = 0; size < whole.size(); ++size) {
      const std::span<const std::byte> cut = std::span(whole).first(size);
      EXPECT_NE(error_of([&] { parse_pth(cut, "cut"); }), "") << name << size;
    }
  }
}

}  // namespace
}  // namespace fcm::formats
