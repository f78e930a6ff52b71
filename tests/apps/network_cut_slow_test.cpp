// The link between two ranks in separate network namespaces is cut. Needs root and `ip`.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "fcm/base/stopwatch.h"
#include "tests/apps/program.h"
#include "tests/tasks/child.h"

namespace fcm::apps {
namespace {

namespace fs = std::filesystem;

int shell(const std::string& command) { return WEXITSTATUS(std::system(command.c_str())); }

// A pair of network namespaces, connected by a veth pair as by a cable.
class Cable {
 public:
  Cable() {
    laid_ = ::geteuid() == 0 && shell("ip netns add fcm-cut-0 2>/dev/null") == 0 &&
            shell("ip netns add fcm-cut-1") == 0 &&
            shell("ip link add fcm0 netns fcm-cut-0 type veth peer name fcm0 netns fcm-cut-1") == 0;
    for (int side = 0; laid_ && side < 2; ++side) {
      shell(
          fmt::format("ip -n fcm-cut-{0} addr add 10.78.0.{1}/24 dev fcm0 && "
                      "ip -n fcm-cut-{0} link set lo up",
                      side, side + 1));
      set(side, true);
    }
  }
  ~Cable() { shell("ip netns del fcm-cut-0 2>/dev/null; ip netns del fcm-cut-1 2>/dev/null"); }
  Cable(const Cable&) = delete;
  Cable& operator=(const Cable&) = delete;

  bool is_laid() const { return laid_; }
  void set(int side, bool up) const {
    shell(fmt::format("ip -n fcm-cut-{} link set fcm0 {}", side, up ? "up" : "down"));
  }

 private:
  bool laid_ = false;
};

std::string rank_of_two(int rank, const fs::path& out, int64_t steps) {
  return fmt::format(
      "exec ip netns exec fcm-cut-{0} env RANK={0} WORLD_SIZE=2 MASTER_ADDR=10.78.0.1 "
      "MASTER_PORT=29555 {1} pretrain --recipe smoke_pretrain --data synthetic --threads 1 --quiet "
      "--set run.max_steps={2} --set run.save_every_steps=5 --set run.log_every_steps=1 "
      "--set optim.epochs=100000 --out {3} 2>{3}-{0}.err",
      rank, FCM_PROGRAM, steps, out.string());
}

pid_t start(const std::string& command) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  ::_exit(127);
}

std::string weights_at(const fs::path& out, int64_t step) {
  const fs::path folder = out / "checkpoints" / fmt::format("step-{}", step);
  return content_of(folder / "model.safetensors") + content_of(folder / "optimizer.safetensors");
}

TEST(NetworkCut, EndsBothWithinHalfAMinuteAndTheSameCommandsGoOn) {
  const Cable cable;
  if (!cable.is_laid())
    GTEST_SKIP() << "cannot create network namespaces: root and ip are required";
  const Scratch scratch;
  constexpr int64_t kSteps = 400;
  const fs::path out = scratch / "cut", whole = scratch / "whole";
  const auto both = [&](const fs::path& run) {
    return std::pair{start(rank_of_two(0, run, kSteps)), start(rank_of_two(1, run, kSteps))};
  };
  const auto [first, second] = both(whole);
  ASSERT_EQ(tests::wait_for(first), 0) << content_of(scratch / "whole-0.err");
  ASSERT_EQ(tests::wait_for(second), 0) << content_of(scratch / "whole-1.err");

  const auto [rank_0, rank_1] = both(out);
  for (int i = 0; i < 600 && !fs::exists(out / "checkpoints" / "latest"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  cable.set(0, false);
  const Stopwatch watch;
  EXPECT_EQ(tests::wait_for(rank_0), 7);
  EXPECT_EQ(tests::wait_for(rank_1), 7);
  EXPECT_LT(watch.seconds(), 30);
  EXPECT_NE(content_of(scratch / "cut-0.err").find("rank 1 on host"), std::string::npos);
  EXPECT_NE(content_of(scratch / "cut-1.err").find("rank 0 on host"), std::string::npos);

  cable.set(0, true);
  const auto [again_0, again_1] = both(out);
  EXPECT_EQ(tests::wait_for(again_0), 0) << content_of(scratch / "cut-0.err");
  EXPECT_EQ(tests::wait_for(again_1), 0) << content_of(scratch / "cut-1.err");
  EXPECT_TRUE(weights_at(out, kSteps) == weights_at(whole, kSteps));
}

}  // namespace
}  // namespace fcm::apps
