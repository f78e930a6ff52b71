#include "tests/train/kill_series.h"

namespace fcm::train {
namespace {

TEST(Kills, AHundredRunsGoOnToTheSameBits) { expect_recoveries(1000, 100); }

}  // namespace
}  // namespace fcm::train
