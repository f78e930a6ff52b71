// RELIABILITY.md, G3: the power fails after any system call of a save. Whatever unsynced data
// survive, a checkpoint loads, and it is at least as new as that of the last save that returned.
#include "tests/checkpoint/power_loss.h"

namespace fcm::checkpoint {
namespace {

TEST_F(PowerLossTest, NothingPromisedIsLost) {
  int64_t cases = 0;
  EXPECT_EQ(losses(record("checkpoint:0:kill"), cases), 0);
  EXPECT_GT(cases, 1400);
}

TEST_F(PowerLossTest, NothingIsLostWithoutAtomicExchange) {
  int64_t cases = 0;
  EXPECT_EQ(losses(record("checkpoint.exchange.before:1+:EINVAL"), cases), 0);
  EXPECT_GT(cases, 1400);
}

TEST_F(PowerLossTest, TheModelMissesEverySyncThatIsLeftOut) {
  const Trace trace = record("checkpoint:0:kill");
  const auto losses_without = [&](const std::function<bool(const TracedCall&)>& left_out) {
    Trace careless;
    for (size_t i = 0, save = 0; i < trace.calls.size(); ++i) {
      if (!(trace.calls[i].call == "fsync" && left_out(trace.calls[i]))) {
        careless.calls.push_back(trace.calls[i]);
      }
      if (i + 1 == trace.returned[save]) {
        careless.returned.push_back(careless.calls.size());
        ++save;
      }
    }
    EXPECT_LT(careless.calls.size(), trace.calls.size());
    int64_t cases = 0;
    return losses(careless, cases);
  };
  const auto name_is = [](const std::string& name) {
    return [name](const TracedCall& call) { return fs::path(call.path).filename() == name; };
  };
  EXPECT_GT(losses_without(name_is("model.safetensors")), 0);
  EXPECT_GT(losses_without(name_is("manifest.json")), 0);
  EXPECT_GT(losses_without(name_is("c")), 0);            // the folder of all checkpoints
  EXPECT_GT(losses_without([](const TracedCall& call) {  // the folder of the new step
              return call.path.find(".tmp.") != std::string::npos &&
                     fs::path(call.path).extension() != ".json" &&
                     fs::path(call.path).extension() != ".safetensors";
            }),
            0);
}

}  // namespace
}  // namespace fcm::checkpoint
