// Groups of ranks that are processes: results of collective operations, shared memory, lost ranks.
#include "fcm/dist/process_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>

#include "fcm/dist/network.h"
#include "fcm/dist/part.h"
#include "tests/dist/processes.h"

namespace fcm::dist {
namespace {

using test::as_on_several_machines;
using test::Processes;

// Checks in a child process: a failure ends it with a status and a text, because the parent does
// not see gtest failures of a child.
void expect(bool holds, const char* what) {
  if (!holds) fail(ExitCode::kNumeric, "check failed: {}", what);
}

std::vector<int> all_done(int64_t ranks) { return std::vector<int>(static_cast<size_t>(ranks), 0); }

class ProcessGroup : public testing::TestWithParam<int64_t> {};

TEST_P(ProcessGroup, AgreesSumsBroadcastsAndGathers) {
  const int64_t ranks = GetParam();
  Processes processes(ranks, [ranks](const std::shared_ptr<Group>& group) {
    const int64_t mine = group->rank() + 1;
    expect(group->size() == ranks && group->ranks_here() == ranks, "sizes");
    expect(group->agree(mine, Agree::kMin) == 1, "min");
    expect(group->agree(mine, Agree::kMax) == ranks, "max");
    expect(group->agree(mine << 40, Agree::kSum) == ((ranks * (ranks + 1) / 2) << 40), "sum");
    expect(group->any(mine == ranks) && !group->any(false), "any");
    expect(group->all(true) && !group->all(mine == ranks), "all");

    const at::Tensor values = at::full({1000}, static_cast<double>(mine), at::kFloat);
    group->sum(values);
    expect(values.eq(ranks * (ranks + 1) / 2).all().item<bool>(), "all-reduce");
    const at::Tensor told = at::full({3}, mine, at::kLong);
    group->broadcast(told, ranks - 1);
    expect(told.eq(ranks).all().item<bool>(), "broadcast");
    // Rank r contributes r rows.
    const at::Tensor rows = gather_rows(*group, at::full({group->rank(), 2}, mine, at::kFloat));
    expect(rows.size(0) == ranks * (ranks - 1) / 2, "number of gathered rows");
    expect(rows[-1][1].item<float>() == static_cast<float>(ranks), "last gathered row");
    const auto texts = gather_texts(*group, std::string(static_cast<size_t>(group->rank()), 'x'));
    expect(std::ssize(texts) == ranks && std::ssize(texts.back()) == ranks - 1, "texts");
    expect(gather_texts(*group, "").back().empty(), "empty texts");
  });
  EXPECT_EQ(processes.wait_for_all(), all_done(ranks)) << processes.said(0) << processes.said(1);
}

// The sum is repeated, because earlier rounds leave other values in the group's memory.
TEST(ProcessGroupOfOne, SumsToItsOwnValues) {
  Processes processes(1, [](const std::shared_ptr<Group>& group) {
    const at::Tensor buffer = group->make_buffer(1000, at::kFloat);
    for (int round = 1; round < 40; ++round) {
      for (const at::Tensor& values : {at::empty({1000}, at::kFloat), buffer}) {
        values.fill_(round);
        group->sum(values);
        expect(values.eq(round).all().item<bool>(), "a sum of one");
      }
      expect(group->agree(round, Agree::kSum) == round, "an agreement of one");
    }
  });
  EXPECT_EQ(processes.wait_for_all(), all_done(1)) << processes.said(0);
}

// Values whose sum depends on the order of additions.
at::Tensor values_sensitive_to_order(int64_t rank) {
  at::Tensor values = at::empty({100'003}, at::kFloat);
  for (int64_t i = 0; i < values.numel(); ++i) {
    values.mutable_data_ptr<float>()[i] =
        1.0F / static_cast<float>(1 + (i * 7919 + rank * 104'729) % 10'007);
  }
  return values;
}

TEST_P(ProcessGroup, SumsHaveTheSameBitsInEveryRankAndEveryRun) {
  const int64_t ranks = GetParam();
  const fcm::test::Scratch scratch;
  std::vector<std::string> runs;
  for (int run = 0; run < 2; ++run) {
    Processes processes(ranks, [&](const std::shared_ptr<Group>& group) {
      const at::Tensor first = values_sensitive_to_order(group->rank()),
                       second = values_sensitive_to_order(group->rank() + 100);
      const auto both = {group->start_sum(first), group->start_sum(second)};
      for (const auto& one : both) one->wait();
      for (const at::Tensor& other : group->gather(first)) expect(other.equal(first), "same bits");
      if (group->rank() > 0) return;
      std::ofstream(scratch / "sum", std::ios::binary)
          .write(static_cast<const char*>(second.const_data_ptr()),
                 static_cast<std::streamsize>(second.nbytes()));
    });
    ASSERT_EQ(processes.wait_for_all(), all_done(ranks)) << processes.said(0);
    runs.push_back(read_file(scratch / "sum", ExitCode::kData));
  }
  EXPECT_EQ(runs[0], runs[1]);
}

// The sum of the values of ranks 0 .. ranks - 1, added in this order.
at::Tensor sum_in_order(int64_t ranks, int64_t seed) {
  at::Tensor sum = values_sensitive_to_order(seed);
  for (int64_t rank = 1; rank < ranks; ++rank) sum += values_sensitive_to_order(seed + rank);
  return sum;
}

TEST_P(ProcessGroup, OnOneMachineSumsAreAddedInTheOrderOfRanks) {
  const int64_t ranks = GetParam();
  Processes processes(ranks, [ranks](const std::shared_ptr<Group>& group) {
    const at::Tensor values = values_sensitive_to_order(group->rank());
    group->sum(values);
    expect(values.equal(sum_in_order(ranks, 0)), "bits of a sum in the order of ranks");
  });
  EXPECT_EQ(processes.wait_for_all(), all_done(ranks)) << processes.said(0) << processes.said(1);
}

// Starts operations on several types one after the other without waiting. Their data are larger
// than all chunk slots of the shared memory. The last rank is late in each round.
void operations_beyond_all_slots(const std::shared_ptr<Group>& group) {
  const int64_t ranks = group->size(), rank = group->rank();
  const int64_t sum = ranks * (ranks + 1) / 2;
  for (int round = 0; round < 3; ++round) {
    if (rank + 1 == ranks) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const at::Tensor large = at::full({10'000'019}, static_cast<double>(rank + 1), at::kFloat);
    const at::Tensor exact = at::full({7}, (rank + 1) << 40, at::kLong);
    const at::Tensor told = at::arange(1'000'003, at::kDouble) * static_cast<double>(rank);
    const at::Tensor small = at::full({1}, static_cast<double>(rank + 1), at::kDouble);
    const at::Tensor none = at::empty({0}, at::kFloat);
    std::vector<std::unique_ptr<Pending>> pending;
    for (const at::Tensor& values : {large, exact, none, small}) {
      pending.push_back(group->start_sum(values));
    }
    pending.push_back(group->start_broadcast(told, ranks - 1));
    const at::Tensor after = at::full({3}, static_cast<double>(rank + 1), at::kDouble);
    pending.push_back(group->start_sum(after));
    expect(group->agree(rank, Agree::kMax) == ranks - 1, "agree while sums are pending");
    while (!pending.empty()) {
      pending.back()->wait();  // the newest first: earlier operations are then complete
      pending.pop_back();
    }
    expect(large.eq(sum).all().item<bool>(), "large");
    expect(exact.eq(sum << 40).all().item<bool>(), "exact");
    expect(small.item<double>() == static_cast<double>(sum), "small");
    expect(after.eq(sum).all().item<bool>(), "after the broadcast");
    const at::Tensor of_last = at::arange(1'000'003, at::kDouble) * static_cast<double>(ranks - 1);
    expect(told.equal(of_last), "broadcast");
  }
}

TEST_P(ProcessGroup, ManyOperationsAtOnceAreDoneInTheirOrder) {
  const int64_t ranks = GetParam();
  for (const bool together : {true, false}) {
    Processes processes(ranks, operations_beyond_all_slots,
                        together ? Processes::ChangePlacement() : as_on_several_machines);
    EXPECT_EQ(processes.wait_for_all(), all_done(ranks)) << processes.said(0) << processes.said(1);
  }
}

// Sums values that lie in shared memory. Each rank overwrites them as soon as it has the sum.
void sum_in_a_buffer(const std::shared_ptr<Group>& group) {
  const int64_t ranks = group->size(), rank = group->rank();
  const at::Tensor buffer = group->make_buffer(3'000'001, at::TensorOptions(at::kFloat));
  expect(buffer.eq(0).all().item<bool>(), "a new buffer is zero");
  const at::Tensor part = buffer.narrow(0, 1'000'003, 1'500'000), rest = buffer.narrow(0, 0, 5);
  for (int64_t round = 1; round <= 20; ++round) {
    part.fill_(static_cast<double>(round * (rank + 1)));
    rest.fill_(1);
    const auto sum = group->start_sum(part), small = group->start_sum(rest);
    // One rank reads the sum long after the others.
    if (rank == round % ranks) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    sum->wait();
    small->wait();
    expect(part.eq(round * ranks * (ranks + 1) / 2).all().item<bool>(), "sum in a buffer");
    expect(rest.eq(ranks).all().item<bool>(), "sum in another part of the buffer");
    if (rank == round % ranks) part.fill_(7);
    group->broadcast(part, round % ranks);
    expect(part.eq(7).all().item<bool>(), "broadcast in a buffer");
  }
  const at::Tensor values = group->make_buffer(100'003, at::TensorOptions(at::kFloat));
  values.copy_(values_sensitive_to_order(rank));
  group->sum(values);
  for (const at::Tensor& other : group->gather(values)) expect(other.equal(values), "same bits");
  if (group->ranks_here() == ranks) {
    expect(values.equal(sum_in_order(ranks, 0)), "the order of ranks");
  }
}

// Each rank needs only a part of the sums, and overwrites all its values as soon as it has that
// part.
void sum_parts_in_a_buffer(const std::shared_ptr<Group>& group) {
  const int64_t ranks = group->size(), rank = group->rank(), elements = 1'500'000;
  const at::Tensor buffer = group->make_buffer(2'000'001, at::TensorOptions(at::kFloat));
  const at::Tensor values = buffer.narrow(0, 400'003, elements);
  // Unequal parts: the first is empty; of four, the third begins and ends within a chunk.
  const auto border = [&](int64_t of) { return of <= 1 ? 0 : of == ranks ? elements : 77 * of; };
  const Part mine{border(rank), border(rank + 1)};
  for (int64_t round = 1; round <= 20; ++round) {
    const at::Tensor own = at::arange(elements, at::kFloat).add(round * (rank + 1));
    values.copy_(own);
    const auto sum = group->start_sum_of_part(values, mine);
    if (rank == round % ranks) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    sum->wait();
    const at::Tensor all =
        at::arange(elements, at::kFloat).mul(ranks).add(round * ranks * (ranks + 1) / 2);
    const auto of_mine = [&](const at::Tensor& of) { return of.slice(0, mine.begin, mine.end); };
    expect(of_mine(values).allclose(of_mine(all), 1e-6), "the sums of its part");
    if (group->ranks_here() == ranks && rank == 0) {
      expect(values.equal(own), "rank 0 needs no part, so its values stay");
    }
    values.fill_(-1);
  }
  const at::Tensor elsewhere = at::ones({1000}, at::kFloat);  // not in shared memory
  const Part part = part_of_rank(rank, ranks, 1000);
  group->start_sum_of_part(elsewhere, part)->wait();
  expect(elsewhere.slice(0, part.begin, part.end).eq(ranks).all().item<bool>(),
         "sum of a part outside shared memory");
  group->barrier();
}

TEST_P(ProcessGroup, SumsThePartThatARankNeeds) {
  const int64_t ranks = GetParam();
  for (const bool together : {true, false}) {
    Processes processes(ranks, sum_parts_in_a_buffer,
                        together ? Processes::ChangePlacement() : as_on_several_machines);
    EXPECT_EQ(processes.wait_for_all(), all_done(ranks)) << processes.said(0) << processes.said(1);
  }
}

TEST_P(ProcessGroup, SumsWhereTheValuesLie) {
  const int64_t ranks = GetParam();
  for (const bool together : {true, false}) {
    Processes processes(ranks, sum_in_a_buffer,
                        together ? Processes::ChangePlacement() : as_on_several_machines);
    EXPECT_EQ(processes.wait_for_all(), all_done(ranks)) << processes.said(0) << processes.said(1);
  }
}

// Each rank writes its own part of the shared memory and reads all parts.
void write_and_read_in_common(const std::shared_ptr<Group>& group) {
  const int64_t ranks = group->size(), rank = group->rank();
  const at::Tensor values = group->make_shared_memory(100'003, at::TensorOptions(at::kFloat));
  expect(values.defined() && values.numel() == 100'003, "shared memory");
  expect(values.eq(0).all().item<bool>(), "new shared memory is zero");
  group->barrier();  // before any rank writes
  for (int64_t round = 1; round <= 20; ++round) {
    if (rank == round % ranks) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto part_of = [&](int64_t whose) {
      const Part part = part_of_rank(whose, ranks, values.numel());
      return values.narrow(0, part.begin, part.size());
    };
    part_of(rank).fill_(static_cast<double>(round * (rank + 1)));
    group->barrier();
    for (int64_t whose = 0; whose < ranks; ++whose) {
      expect(part_of(whose).eq(round * (whose + 1)).all().item<bool>(),
             "the values that another rank wrote");
    }
    group->barrier();
  }
  const at::Tensor others = group->make_shared_memory(5, at::TensorOptions(at::kDouble));
  group->barrier();
  if (rank == 0) others.fill_(1);
  group->barrier();
  expect(others.eq(1).all().item<bool>() && values[0].item<float>() == 20,
         "two shared memories at once");
}

TEST_P(ProcessGroup, OnOneMachineHasMemoryInCommon) {
  const int64_t ranks = GetParam();
  Processes here(ranks, write_and_read_in_common);
  EXPECT_EQ(here.wait_for_all(), all_done(ranks)) << here.said(0) << here.said(1);
  Processes there(
      ranks,
      [](const std::shared_ptr<Group>& group) {
        expect(!group->make_shared_memory(5, at::TensorOptions(at::kFloat)).defined(),
               "no shared memory across machines");
        group->barrier();  // rank 0 hosts the store, so it must not leave before others have joined
      },
      as_on_several_machines);
  EXPECT_EQ(there.wait_for_all(), all_done(ranks)) << there.said(0) << there.said(1);
}

TEST_P(ProcessGroup, AnErrorOfRankZeroReachesAllRanks) {
  const int64_t ranks = GetParam();
  Processes processes(ranks, [](const std::shared_ptr<Group>& group) {
    on_first(*group, [] {});
    on_first(*group, [] { fail(ExitCode::kCheckpoint, "no room"); });
  });
  EXPECT_EQ(processes.wait_for_all(), std::vector<int>(static_cast<size_t>(ranks), 4));
  for (int64_t rank = 0; rank < ranks; ++rank) EXPECT_EQ(processes.said(rank), "no room\n");
}

// Every rank except rank 1 waits for rank 1.
void agree_without_rank_1(const std::shared_ptr<Group>& group) {
  group->agree(0, Agree::kMax);
  if (group->rank() == 1) ::pause();
  for (;;) group->agree(0, Agree::kMax);
}

// Rank 1 is lost while the others wait for its part of a sum.
void sum_without_rank_1(const std::shared_ptr<Group>& group) {
  const at::Tensor values = at::ones({1'000'000});
  group->sum(values);
  if (group->rank() == 1) ::pause();
  for (;;) group->sum(values);
}

class LostRank : public testing::TestWithParam<std::tuple<int64_t, int>> {};

TEST_P(LostRank, EndsTheOthersAndIsNamed) {
  const auto [ranks, signal] = GetParam();
  Processes processes(ranks, agree_without_rank_1);
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  ::kill(processes.pid(1), signal);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    if (rank == 1) continue;
    EXPECT_EQ(processes.wait_for(rank), 7) << rank;
    const std::string said = processes.said(rank);
    EXPECT_NE(said.find("rank 1 on host " + host_name() + " was lost"), std::string::npos) << said;
  }
}

TEST(Ranks, OneThatIsLostInASumEndsTheOthers) {
  for (const bool together : {true, false}) {
    Processes processes(2, sum_without_rank_1,
                        together ? Processes::ChangePlacement() : as_on_several_machines);
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    ::kill(processes.pid(1), SIGKILL);
    EXPECT_EQ(processes.wait_for(0), 7);
    const std::string said = processes.said(0);
    EXPECT_NE(said.find("rank 1 on host " + host_name() + " was lost"), std::string::npos) << said;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ProcessGroup, testing::Values(2, 4));
INSTANTIATE_TEST_SUITE_P(All, LostRank,
                         testing::Combine(testing::Values(2, 4),
                                          testing::Values(SIGKILL, SIGSTOP)));

TEST(Ranks, GetTheReasonWhyOneGaveUp) {
  Processes processes(2, [](const std::shared_ptr<Group>& group) {
    if (group->rank() == 1) fail(ExitCode::kData, "its pictures are gone");
    agree_without_rank_1(group);
  });
  EXPECT_EQ(processes.wait_for(1), 3);
  EXPECT_EQ(processes.wait_for(0), 7);
  EXPECT_NE(processes.said(0).find("gave up: its pictures are gone"), std::string::npos)
      << processes.said(0);
}

TEST(Ranks, OneThatIsLongBusyIsNotLost) {
  Processes processes(2, [](const std::shared_ptr<Group>& group) {
    if (group->rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(4));
    group->agree(0, Agree::kMax);
  });
  EXPECT_EQ(processes.wait_for_all(), all_done(2)) << processes.said(0);
}

TEST(Ranks, OfDifferentProgramsAreRefused) {
  Processes processes(
      2, [](const std::shared_ptr<Group>&) {},
      [](Placement& placement, JoinOptions& options) {
        options.program = placement.rank == 1 ? "version 2" : "version 1";
      });
  EXPECT_EQ(processes.wait_for_all(), (std::vector<int>{2, 2}));
  for (const char* words : {"rank 1 on", "version 2", "version 1", "same program"}) {
    EXPECT_NE(processes.said(0).find(words), std::string::npos) << processes.said(0);
  }
}

TEST(Ranks, TwoOfTheSameNumberAreRefused) {
  Processes processes(
      2, [](const std::shared_ptr<Group>&) {},
      [](Placement& placement, JoinOptions& options) {
        options.patience = std::chrono::seconds(2);
        placement.rank = 0;
      });
  const std::vector<int> statuses = processes.wait_for_all();
  // The second process ends with status 2. The first waits for rank 1 and then ends with status 7.
  EXPECT_EQ(statuses[0] + statuses[1], 2 + 7);
  const std::string said = processes.said(0) + processes.said(1);
  EXPECT_NE(said.find("two processes claim to be rank 0 of 2"), std::string::npos) << said;
}

TEST(Ranks, OneThatDoesNotComeIsNamedWithWhatToDo) {
  for (const auto& [source, advice] : {std::pair{"torchrun", "as many processes as torchrun says"},
                                       std::pair{"Slurm", "put srun before the command"}}) {
    Processes processes(
        1, [](const std::shared_ptr<Group>&) {},
        [source = source](Placement& placement, JoinOptions& options) {
          options.patience = std::chrono::seconds(1);
          placement.size = placement.local_size = 2;
          placement.source = source;
        });
    EXPECT_EQ(processes.wait_for(0), 7);
    const std::string said = processes.said(0);
    EXPECT_NE(said.find("rank 1 of 2 did not connect to 127.0.0.1:"), std::string::npos) << said;
    EXPECT_NE(said.find(advice), std::string::npos) << said;
  }
}

TEST(Ranks, RankZeroHostsTheStoreIfNoOtherProcessDoes) {
  const int64_t port = port_of(listening_socket(true, 0));
  Processes processes(
      2, [](const std::shared_ptr<Group>& group) { group->agree(0, Agree::kMax); },
      [port](Placement& placement, JoinOptions&) {
        placement.hosted = false;
        placement.port = port;
      });
  EXPECT_EQ(processes.wait_for_all(), all_done(2)) << processes.said(0) << processes.said(1);
}

TEST(Ranks, AStoreIsForThisMachineAlone) {
  const StoreHost store;
  // The store listens on the loopback address only, so another address of this machine is refused.
  const std::string outer = address_towards("198.51.100.1");
  if (outer.starts_with("127.")) GTEST_SKIP() << "this machine has no address except loopback";
  Placement placement = test::placement_here(1, 2, store.port());
  placement.address = outer;
  JoinOptions options = test::quick_options();
  options.patience = std::chrono::seconds(1);
  SilentReporter silence;
  EXPECT_THROW(join(placement, options, silence), Error);
}

TEST(Ranks, APortInUseIsOneSentence) {
  const Descriptor taken = listening_socket(true, 0);
  Placement placement = test::placement_here(0, 2, port_of(taken));
  placement.hosted = false;
  SilentReporter silence;
  try {
    join(placement, test::quick_options(), silence);
    FAIL() << "the process joined although the port is in use";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    const std::string said = error.what();
    EXPECT_NE(said.find(std::to_string(placement.port)), std::string::npos) << said;
    EXPECT_NE(said.find("in use"), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace fcm::dist
