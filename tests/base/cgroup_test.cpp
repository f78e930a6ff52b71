// Tests limits of control groups (cgroup v1 and v2) with synthetic /proc and /sys trees.
#include "fcm/base/cgroup.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/support/scratch.h"

namespace fcm {
namespace {

class CgroupTest : public testing::Test {
 protected:
  void file(const std::string& path, const std::string& text) const { root_.write(path, text); }
  GroupLimits limits() const { return group_limits(root_.path()); }

  const test::Scratch root_;
};

constexpr const char* kMount2 =
    "22 1 0:2 / /proc rw - proc proc rw\n"
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST_F(CgroupTest, WithoutAnyThereIsNoLimit) {
  EXPECT_TRUE(std::isinf(limits().cores.value));
  EXPECT_TRUE(std::isinf(limits().memory.value));
  EXPECT_TRUE(std::isinf(limits().threads.value));
}

TEST_F(CgroupTest, Version2TakesTheSmallestOfOwnAndAbove) {
  file("proc/self/mountinfo", kMount2);
  file("proc/self/cgroup", "0::/user.slice/job 1.scope\n");
  file("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n");
  file("sys/fs/cgroup/user.slice/memory.max", "max\n");
  file("sys/fs/cgroup/user.slice/pids.max", "100\n");
  file("sys/fs/cgroup/user.slice/job 1.scope/cpu.max", "max 100000\n");
  file("sys/fs/cgroup/user.slice/job 1.scope/memory.max", "1073741824\n");
  file("sys/fs/cgroup/user.slice/job 1.scope/memory.high", "536870912\n");
  file("sys/fs/cgroup/user.slice/job 1.scope/pids.max", "max\n");
  file("sys/fs/cgroup/other/memory.max", "1\n");
  EXPECT_DOUBLE_EQ(limits().cores.value, 1.5);
  EXPECT_EQ(limits().cores.file, root_.string() + "/sys/fs/cgroup/user.slice/cpu.max");
  EXPECT_EQ(limits().memory.value, 536870912);
  EXPECT_EQ(limits().threads.value, 100);
}

TEST_F(CgroupTest, Version1HasAHierarchyForEachController) {
  file("proc/self/mountinfo",
       "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
       "35 31 0:32 / /sys/fs/cgroup/my\\040memory rw - cgroup cgroup rw,memory\n"
       "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n");
  file("proc/self/cgroup",
       "9:name=systemd:/x\n8:pids:/\n4:memory:/a/b\n2:cpu,cpuacct:/slurm/job\n0::/\n");
  file("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us", "250000\n");
  file("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us", "100000\n");
  file("sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_quota_us", "-1\n");
  file("sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_period_us", "100000\n");
  file("sys/fs/cgroup/my memory/a/memory.limit_in_bytes", "786432000\n");
  file("sys/fs/cgroup/my memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_DOUBLE_EQ(limits().cores.value, 2.5);
  EXPECT_EQ(limits().memory.value, 786432000);
  EXPECT_TRUE(std::isinf(limits().threads.value));
}

TEST_F(CgroupTest, AContainerSeesItsOwnGroupAtTheMountPoint) {
  // The path is the host's, and the mount point shows the container's group.
  file("proc/self/mountinfo", "30 23 0:26 /docker/1f /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  file("proc/self/cgroup", "0::/docker/1f\n");
  file("sys/fs/cgroup/memory.max", "1000\n");
  EXPECT_EQ(limits().memory.value, 1000);
  file("proc/self/cgroup", "0::/docker/1f/inner\n");
  file("sys/fs/cgroup/inner/memory.max", "500\n");
  EXPECT_EQ(limits().memory.value, 500);
  // If the path leads out of the mounted tree, the limit at the mount point applies.
  file("proc/self/cgroup", "0::/../2e\n");
  EXPECT_EQ(limits().memory.value, 1000);
}

TEST_F(CgroupTest, FilesThatSayNothingAreNoLimit) {
  file("proc/self/mountinfo", kMount2);
  file("proc/self/cgroup", "0::/a\nnonsense\n");
  file("sys/fs/cgroup/a/cpu.max", "");
  file("sys/fs/cgroup/a/memory.max", "lots\n");
  file("sys/fs/cgroup/a/pids.max", "0\n");
  EXPECT_TRUE(std::isinf(limits().cores.value));
  EXPECT_TRUE(std::isinf(limits().memory.value));
  EXPECT_TRUE(std::isinf(limits().threads.value));
}

}  // namespace
}  // namespace fcm
