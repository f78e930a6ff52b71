#include "fcm/dist/group.h"

#include <gtest/gtest.h>

#include "tests/dist/thread_group.h"

namespace fcm::dist {
namespace {

TEST(GroupOfOne, AgreesWithItself) {
  const auto group = group_of_one();
  EXPECT_EQ(group->rank(), 0);
  EXPECT_EQ(group->size(), 1);
  EXPECT_TRUE(group->writes());
  for (const Agree how : {Agree::kMin, Agree::kMax, Agree::kSum}) {
    EXPECT_EQ(group->agree(-7, how), -7);
  }
  EXPECT_EQ(group->agree(5, Agree::kAny), 1);
  EXPECT_TRUE(group->any(true));
  EXPECT_FALSE(group->any(false));
  EXPECT_TRUE(group->all(true));
  EXPECT_FALSE(group->all(false));
}

// ThreadGroup, the group of threads that tests of the training loop use, gives every rank the same
// answer.
TEST(ThreadGroup, EveryRankGetsTheSameAnswer) {
  std::vector<std::vector<int64_t>> answers(3);
  test::run_ranks(3, [&](Group& group) {
    const int64_t mine = group.rank() + 1;
    auto& of_rank = answers[static_cast<size_t>(group.rank())];
    for (const Agree how : {Agree::kMin, Agree::kMax, Agree::kSum}) {
      of_rank.push_back(group.agree(mine, how));
    }
    of_rank.push_back(group.any(mine == 2) ? 1 : 0);
    of_rank.push_back(group.all(mine == 2) ? 1 : 0);
    of_rank.push_back(group.writes() ? 1 : 0);
  });
  for (size_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(answers[rank], (std::vector<int64_t>{1, 3, 6, 1, 0, rank == 0 ? 1 : 0})) << rank;
  }
}

}  // namespace
}  // namespace fcm::dist
