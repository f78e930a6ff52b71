// Compares the speeds of the ranks of a group.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "fcm/dist/group.h"

namespace fcm::train {

// The work of one rank since the last line of the log.
struct RankWindow {
  int64_t images = 0;         // of this rank
  double seconds = 0;         // elapsed
  double waited_seconds = 0;  // part of `seconds` spent waiting for other ranks and the network
};

// Members for a line of the log, the same in every rank; empty for a group of one. The speed of a
// rank is its images/s over the time in which it did not wait for others. Members: "ranks";
// "slowest_rank", "fastest_rank" and their speeds "slowest_rank_images_per_second",
// "fastest_rank_images_per_second"; "rank_wait_seconds", the mean waiting time of the ranks.
nlohmann::json rank_speeds(dist::Group& group, const RankWindow& mine);

}  // namespace fcm::train
