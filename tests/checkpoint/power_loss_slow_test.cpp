// RELIABILITY.md, G3, with more random losses of unsynced data after every call of six saves.
#include "tests/checkpoint/power_loss.h"
#include "tests/support/series.h"

namespace fcm::checkpoint {
namespace {

class PowerLossSlow : public PowerLossTest {};

TEST_F(PowerLossSlow, NothingPromisedIsLost) {
  const test::Series series(30'000);
  int64_t cases = 0;
  for (const char* armed : {"checkpoint:0:kill", "checkpoint.exchange.before:1+:EINVAL"}) {
    const Trace trace = record(armed);
    const auto variants = static_cast<uint64_t>(series.cases() / std::ssize(trace.calls) / 2 + 1);
    EXPECT_EQ(losses(trace, cases, variants, static_cast<uint64_t>(series.seed())), 0) << armed;
    test::Series::note("calls", trace.calls.size());
    fs::remove_all(checkpoints_);
    fs::create_directory(checkpoints_);
  }
  test::Series::note("power_cuts", cases);
  EXPECT_GE(cases, series.cases());
}

}  // namespace
}  // namespace fcm::checkpoint
