#include "fcm/tasks/file_progress.h"

#include <gtest/gtest.h>

#include <string>

#include "fcm/base/file.h"
#include "tests/support/scratch.h"

namespace fcm::tasks {
namespace {

TEST(FileProgress, CountsWhatThisProcessReadsAndWrites) {
  const test::Scratch scratch;
  constexpr int64_t kMegabytes = 3'000'000;
  const auto moved = [&](Moved kind, const auto& action) {
    const int64_t before = bytes_of_process(kind).value();
    action();
    return bytes_of_process(kind).value() - before;
  };
  const std::string bytes(kMegabytes, 'x');
  const auto write = [&] { scratch.write("file", bytes); };
  const auto read = [&] { read_file(scratch / "file", ExitCode::kData); };
  EXPECT_GE(moved(Moved::kWritten, write), kMegabytes);
  EXPECT_GE(moved(Moved::kRead, read), kMegabytes);
  EXPECT_LT(moved(Moved::kRead, write), kMegabytes / 2);
  EXPECT_LT(moved(Moved::kWritten, read), kMegabytes / 2);
}

TEST(FileProgress, KnowsHowMuchThereIsToRead) {
  const test::Scratch scratch;
  const auto file = [&](const char* name, size_t bytes) {
    return scratch.write(name, std::string(bytes, 'x'));
  };
  EXPECT_EQ(bytes_of_checkpoint(file("w.pth", 70), Steps::kAll), 70);
  for (const char* step : {"run/checkpoints/step-1/", "run/checkpoints/step-2/"}) {
    const size_t bytes = step[21] == '1' ? 100 : 200;
    file((std::string(step) + "manifest.json").c_str(), 5);
    file((std::string(step) + "model.safetensors").c_str(), bytes);
    file((std::string(step) + "optimizer.safetensors").c_str(), 2 * bytes);
  }
  std::filesystem::last_write_time(
      scratch / "run/checkpoints/step-1",
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(bytes_of_checkpoint(scratch / "run", Steps::kAll), 900);
  EXPECT_EQ(bytes_of_checkpoint(scratch / "run", Steps::kNewest), 600);
  EXPECT_EQ(bytes_of_checkpoint(scratch / "run/checkpoints/step-1", Steps::kNewest), 300);
  EXPECT_EQ(bytes_of_checkpoint(scratch / "absent", Steps::kAll), 0);
}

}  // namespace
}  // namespace fcm::tasks
