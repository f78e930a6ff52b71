// Tests which hyperthreads are reported to share a core.
#include "fcm/base/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>
#include <thread>

namespace fcm {
namespace {
namespace fs = std::filesystem;

class CoresTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / "cores";
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void add(int number, const std::string& siblings) const {
    const fs::path topology = folder_ / ("cpu" + std::to_string(number)) / "topology";
    fs::create_directories(topology);
    std::ofstream(topology / "thread_siblings_list") << siblings << "\n";
  }

  fs::path folder_;
};

using Cores = std::vector<std::vector<int>>;

TEST_F(CoresTest, HyperthreadsWithTheSameSiblingsAreOneCore) {
  for (const int number : {0, 2}) add(number, "0,2");
  for (const int number : {1, 3}) add(number, "1,3");
  EXPECT_EQ(physical_cores_from({0, 1, 2, 3}, folder_), (Cores{{0, 2}, {1, 3}}));
  EXPECT_EQ(physical_cores_from({1, 2, 3}, folder_), (Cores{{1, 3}, {2}}));
}

TEST_F(CoresTest, NothingIsKnownWhereAFileIsMissing) {
  add(0, "0");
  EXPECT_EQ(physical_cores_from({0}, folder_), (Cores{{0}}));
  EXPECT_EQ(physical_cores_from({0, 1}, folder_), Cores{});
}

TEST(Cores, AThreadRunsWhereItIsBound) {
  const Cores cores = physical_cores();
  if (cores.empty()) GTEST_SKIP() << "the system does not report its cores";
  const int last = cores.back().back();
  int where = -1;
  bool bound = false;
  std::thread([&] {
    bound = bind_to_hyperthread(last);
    where = ::sched_getcpu();
  }).join();
  EXPECT_TRUE(bound);
  EXPECT_EQ(where, last);
  EXPECT_FALSE(bind_to_hyperthread(-1));
  EXPECT_FALSE(bind_to_hyperthread(1 << 30));
}

}  // namespace
}  // namespace fcm
