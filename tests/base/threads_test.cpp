// Tests how many cores and threads the program may use on a shared machine.
#include "fcm/base/threads.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <map>
#include <thread>

namespace fcm {
namespace {

using Variables = std::map<std::string, std::string>;

UsableCores cores(int64_t machine, int64_t bound, double quota, const Variables& variables) {
  return usable_cores_from(machine, bound, {quota, "the quota"}, [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

constexpr double kNone = std::numeric_limits<double>::infinity();

TEST(UsableCores, AreTheSmallestOfAllThatIsSaid) {
  EXPECT_EQ(cores(128, 128, kNone, {}).count, 128);
  EXPECT_EQ(cores(128, 128, kNone, {}).set_by, "the cores of this machine");
  EXPECT_EQ(cores(128, 8, kNone, {}).count, 8);
  EXPECT_EQ(cores(128, 8, kNone, {}).set_by, "the cores that the process is bound to");
  EXPECT_EQ(cores(128, 8, 4, {{"OMP_NUM_THREADS", "6"}}).set_by, "the quota");
  EXPECT_EQ(cores(128, 8, 7, {{"OMP_NUM_THREADS", "6"}, {"SLURM_CPUS_PER_TASK", "9"}}).set_by,
            "OMP_NUM_THREADS");
  EXPECT_EQ(cores(128, 0, kNone, {{"SLURM_CPUS_PER_TASK", "3"}}).count, 3);
  EXPECT_EQ(cores(128, 0, kNone, {{"SLURM_CPUS_ON_NODE", "16"}}).count, 16);
  EXPECT_EQ(cores(128, 0, kNone, {{"LSB_DJOB_NUMPROC", "16"}}).count, 16);
}

TEST(UsableCores, AQuotaIsRoundedUp) {
  EXPECT_EQ(cores(8, 8, 1.5, {}).count, 2);
  EXPECT_EQ(cores(8, 8, 0.1, {}).count, 1);
  EXPECT_EQ(cores(8, 8, 2.0000000001, {}).count, 2);
}

TEST(UsableCores, VariablesThatSayNothingAreLeftAlone) {
  for (const char* value : {"", "many", "0", "-2", "4x", "99999999999999999999"}) {
    EXPECT_EQ(cores(8, 8, kNone, {{"OMP_NUM_THREADS", value}}).count, 8) << value;
  }
  EXPECT_EQ(cores(8, 8, kNone, {{"OMP_NUM_THREADS", "4,2"}}).count, 4);
  EXPECT_EQ(cores(8, 8, kNone, {{"OMP_NUM_THREADS", "4"}, {"OMP_THREAD_LIMIT", "3"}}).count, 3);
  EXPECT_EQ(cores(8, 8, kNone, {{"OMP_THREAD_LIMIT", "3"}}).set_by, "OMP_THREAD_LIMIT");
  EXPECT_EQ(cores(8, 8, kNone, {{"OMP_THREAD_LIMIT", "0"}}).count, 8);
  EXPECT_EQ(cores(8, 8, kNone, {{"NCPUS", "2"}}).count, 8) << "NCPUS counts only inside a PBS job";
  EXPECT_EQ(cores(8, 8, kNone, {{"NCPUS", "2"}, {"PBS_JOBID", "1"}}).count, 2);
}

TEST(UsableCores, WhatOpenMPBoundThisThreadToIsNotTheProcess) {
  EXPECT_EQ(cores(8, 1, kNone, {{"OMP_PROC_BIND", "close"}}).count, 8);
  EXPECT_EQ(cores(8, 1, kNone, {{"OMP_PLACES", "cores"}}).count, 8);
  EXPECT_EQ(cores(8, 1, kNone, {{"OMP_PROC_BIND", "false"}, {"OMP_PLACES", "cores"}}).count, 1);
}

TEST(UsableCores, OfThisProcessFollowItsAffinity) {
  std::thread([] {
    cpu_set_t before, one;
    ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
    CPU_ZERO(&one);
    for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++core) {
      if (CPU_ISSET(core, &before)) CPU_SET(core, &one);
    }
    ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(usable_cores().count, 1);
  }).join();
}

TEST(StartableThreads, AreAllWhereNothingIsInTheWay) {
  EXPECT_EQ(startable_threads(0), 0);
  EXPECT_EQ(startable_threads(-3), 0);
  EXPECT_EQ(startable_threads(3), 3);
}

TEST(RunningThreads, AreCounted) {
  const int64_t before = running_threads();
  EXPECT_GE(before, 1);
  std::thread([before] { EXPECT_EQ(running_threads(), before + 1); }).join();
}

}  // namespace
}  // namespace fcm
