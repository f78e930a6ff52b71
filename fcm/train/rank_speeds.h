// The speed of the ranks of a group, compared.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "fcm/dist/group.h"

namespace fcm::train {

// The work of one rank since the last line of the log.
struct RankWindow {
  int64_t images = 0;         // its part of the batches
  double seconds = 0;         // in total
  double waited_seconds = 0;  // of these: waiting for other ranks and the network
};

// Members for the line of the log, the same in every rank. "ranks"; "slowest_rank" and
// "fastest_rank", by images/s of the time in which a rank did not wait for others, and these speeds
// as "slowest_rank_images_per_second", "fastest_rank_images_per_second"; "rank_wait_seconds", the
// mean waiting time of the ranks. Empty for a group of one.
nlohmann::json rank_speeds(dist::Group& group, const RankWindow& mine);

}  // namespace fcm::train
