#include "tests/train/kill_series.h"

namespace fcm::train {
namespace {

TEST(Kills, ThirtyRunsGoOnToTheSameBits) { expect_recoveries(0, 30); }

}  // namespace
}  // namespace fcm::train
