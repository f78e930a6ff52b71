// How the ranks of a group keep pace with each other.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "fcm/dist/group.h"

namespace fcm::train {

// What one rank did since the last line of the log.
struct RankWindow {
  int64_t images = 0;         // its own part of the batches
  double seconds = 0;         // in all
  double waited_seconds = 0;  // of them for other ranks and the network
};

// For the line of the log, the same in every rank: "ranks"; "slowest_rank" and "fastest_rank" by
// the images/s of the time in which a rank did not wait for others, and these as
// "slowest_rank_images_per_second", "fastest_rank_images_per_second"; "rank_wait_seconds", the mean
// of what ranks waited. Empty for a group of one.
nlohmann::json rank_speeds(dist::Group& group, const RankWindow& mine);

}  // namespace fcm::train
