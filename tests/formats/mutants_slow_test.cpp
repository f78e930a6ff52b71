// Reads mutants of tensor files written by this program. pth_mutants_slow_test.cpp has the mutants
// of the larger stored .pth files.
#include "fcm/formats/safetensors.h"
#include "tests/formats/pth_mutants.h"
#include "tests/support/mutants.h"

namespace fcm::formats {
namespace {

class MutantsSlow : public TemporaryFolderTest {};

void expect_inside(const TensorFile& file, size_t bytes) {
  size_t total = 0;
  for (const TensorView& tensor : file.tensors) total += tensor.bytes.size();
  ASSERT_LE(total, bytes);
}

TEST_F(MutantsSlow, OfSafetensors) {
  const test::Series series(100'000);
  const fs::path path = folder_ / "x.safetensors";
  write_safetensors(path, SmallState(3).model(), {{"format", "pt"}});
  test::try_mutants(
      "safetensors", bytes_of_file(path), ExitCode::kCheckpoint, series,
      [](const auto& bytes) { expect_inside(parse_safetensors(bytes, "mutant"), bytes.size()); });
}

TEST_F(MutantsSlow, OfPth) {
  const test::Series series(100'000);
  const fs::path path = folder_ / "x.pth";
  Value::Dict root;
  root.items.emplace_back(Value{std::string("weight")}, Value{Value::Tensor{0, true}});
  root.items.emplace_back(Value{std::string("count")}, Value{Value::Tensor{1, false}});
  root.items.emplace_back(Value{std::string("args")}, Value{Value::List{{0.5}, {true}, {}}});
  write_pth(path, {root}, SmallState(3).model());
  test::try_mutants(".pth", bytes_of_file(path), ExitCode::kCheckpoint, series,
                    [](const auto& bytes) { parse_pth(bytes, "mutant"); });
}

// Reads the same number of mutants of two stored files, one in each container.
TEST_F(MutantsSlow, OfStoredPth) {
  if (!fs::exists(stored_files())) GTEST_SKIP() << "no stored files in " << stored_files();
  const test::Series series(100'000);
  for (const char* name : {"views.pth", "views_legacy.pth"}) {
    test::try_mutants(name, bytes_of_file(stored_files() / "checkpoints" / name),
                      ExitCode::kCheckpoint, series,
                      [](const auto& bytes) { parse_pth(bytes, "mutant"); });
  }
}

}  // namespace
}  // namespace fcm::formats
