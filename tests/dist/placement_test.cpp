// Rank, group size and address of a process from environment variables of torchrun and Slurm, which
// are valid, missing or invalid.
#include "fcm/dist/placement.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/error_of.h"

namespace fcm::dist {
namespace {

using Variables = std::map<std::string, std::string>;

Placement placed(const Variables& variables) {
  return placement_from([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

const Variables kTorchrun = {{"RANK", "5"},
                             {"WORLD_SIZE", "8"},
                             {"LOCAL_RANK", "1"},
                             {"LOCAL_WORLD_SIZE", "4"},
                             {"MASTER_ADDR", "gpu01"},
                             {"MASTER_PORT", "29500"},
                             {"TORCHELASTIC_RUN_ID", "none"},
                             {"TORCHELASTIC_RESTART_COUNT", "2"},
                             {"TORCHELASTIC_USE_AGENT_STORE", "True"}};
const Variables kSlurm = {{"SLURM_PROCID", "5"},
                          {"SLURM_NTASKS", "8"},
                          {"SLURM_LOCALID", "1"},
                          {"SLURM_JOB_NODELIST", "gpu[03-04]"},
                          {"SLURM_TASKS_PER_NODE", "4(x2)"},
                          {"SLURM_NODEID", "1"},
                          {"SLURM_JOB_ID", "1234"}};

Variables with(Variables variables, const std::string& name, const std::string& value) {
  variables[name] = value;
  return variables;
}
Variables without(Variables variables, const std::string& name) {
  variables.erase(name);
  return variables;
}

std::string refused(const Variables& variables) {
  return fcm::test::error_of(ExitCode::kUsage, [&] { placed(variables); });
}

TEST(Placement, NoVariablesAreOneProcess) {
  const Placement placement = placed({});
  EXPECT_EQ(placement.rank, 0);
  EXPECT_EQ(placement.size, 1);
  EXPECT_TRUE(placement.on_one_machine());
}

TEST(Placement, Torchruns) {
  const Placement placement = placed(kTorchrun);
  EXPECT_EQ(placement.rank, 5);
  EXPECT_EQ(placement.size, 8);
  EXPECT_EQ(placement.local_rank, 1);
  EXPECT_EQ(placement.local_size, 4);
  EXPECT_EQ(placement.address, "gpu01");
  EXPECT_EQ(placement.port, 29500);
  EXPECT_EQ(placement.restart, 2);
  EXPECT_TRUE(placement.hosted);
  EXPECT_FALSE(placement.on_one_machine());
  EXPECT_EQ(placement.source, "torchrun");
}

TEST(Placement, PlainVariablesOfOneMachineNeedNoLocalOnes) {
  const Variables plain = {
      {"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "127.0.0.1"}, {"MASTER_PORT", "4000"}};
  const Placement placement = placed(plain);
  EXPECT_EQ(placement.local_rank, 1);
  EXPECT_EQ(placement.local_size, 2);
  EXPECT_FALSE(placement.hosted);
  EXPECT_TRUE(placement.on_one_machine());
  EXPECT_EQ(placed(with(plain, "MASTER_ADDR", "gpu01")).local_size, 1);
}

TEST(Placement, OneOfOneNeedsNoAddress) {
  EXPECT_EQ(placed({{"RANK", "0"}, {"WORLD_SIZE", "1"}}).size, 1);
}

TEST(Placement, Slurms) {
  const Placement placement = placed(kSlurm);
  EXPECT_EQ(placement.rank, 5);
  EXPECT_EQ(placement.size, 8);
  EXPECT_EQ(placement.local_rank, 1);
  EXPECT_EQ(placement.local_size, 4);
  EXPECT_EQ(placement.address, "gpu03");
  EXPECT_EQ(placement.source, "Slurm");
  EXPECT_FALSE(placement.hosted);
  // The port depends on the job, so that jobs can share a machine.
  EXPECT_NE(placement.port, placed(with(kSlurm, "SLURM_JOB_ID", "1235")).port);
  EXPECT_EQ(placed(with(kSlurm, "MASTER_PORT", "4000")).port, 4000);
}

TEST(Placement, SlurmOnOneHostIsOneMachine) {
  Variables one = without(without(kSlurm, "SLURM_TASKS_PER_NODE"), "SLURM_NODEID");
  one["SLURM_JOB_NODELIST"] = "gpu03";
  EXPECT_TRUE(placed(one).on_one_machine());
}

TEST(Placement, AShellInsideAnAllocationIsNoRank) {
  EXPECT_EQ(placed(with(kSlurm, "SLURM_JOB_NAME", "bash")).size, 1);
  EXPECT_EQ(placed(with(kSlurm, "SLURM_JOB_NAME", "interactive")).size, 1);
  // The shell of salloc has a number of tasks but no rank. A batch script without --ntasks has rank
  // 0 but no number of tasks. Both run as a single process.
  EXPECT_EQ(placed(without(kSlurm, "SLURM_PROCID")).size, 1);
  EXPECT_EQ(placed({{"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}}).size, 1);
}

TEST(Placement, TorchrunsVariablesComeBeforeSlurms) {
  Variables both = kTorchrun;
  both.insert(kSlurm.begin(), kSlurm.end());
  EXPECT_EQ(placed(both).source, "torchrun");
}

TEST(Placement, AMissingVariableIsNamedWithWhatAsksForIt) {
  for (const char* name : {"WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"}) {
    const std::string error = refused(without(kTorchrun, name));
    EXPECT_NE(error.find(std::string("no ") + name), std::string::npos) << error;
  }
  for (const char* name : {"SLURM_NTASKS", "SLURM_LOCALID", "SLURM_JOB_NODELIST"}) {
    const std::string error = refused(without(kSlurm, name));
    EXPECT_NE(error.find(name), std::string::npos) << error;
  }
}

TEST(Placement, AWrongVariableIsNamedWithItsValue) {
  const std::vector<std::pair<std::string, std::string>> wrong = {{"RANK", "8"},
                                                                  {"RANK", "-1"},
                                                                  {"RANK", "x"},
                                                                  {"WORLD_SIZE", "0"},
                                                                  {"WORLD_SIZE", "8.0"},
                                                                  {"MASTER_PORT", "0"},
                                                                  {"MASTER_PORT", "70000"},
                                                                  {"LOCAL_RANK", "4"},
                                                                  {"LOCAL_WORLD_SIZE", "9"}};
  for (const auto& [name, value] : wrong) {
    const std::string error = refused(with(kTorchrun, name, value));
    EXPECT_NE(error.find(name + "=" + value), std::string::npos) << name << error;
  }
  for (const char* list : {"[", "gpu[", "gpu[]", ","}) {
    EXPECT_NE(refused(with(kSlurm, "SLURM_JOB_NODELIST", list)), "") << list;
  }
  for (const char* tasks : {"4(x", "4(xx)", "(x2)", "four"}) {
    EXPECT_NE(refused(with(kSlurm, "SLURM_TASKS_PER_NODE", tasks)), "") << tasks;
  }
}

TEST(Placement, FirstHostOfALotOfLists) {
  EXPECT_EQ(first_host("gpu03"), "gpu03");
  EXPECT_EQ(first_host("gpu03,gpu04"), "gpu03");
  EXPECT_EQ(first_host("gpu[03-05,9]-x,cpu1"), "gpu03-x");
  EXPECT_EQ(first_host("rack[2,4]node[7-9]"), "rack2node7");
}

}  // namespace
}  // namespace fcm::dist
