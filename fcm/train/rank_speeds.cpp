#include "fcm/train/rank_speeds.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace fcm::train {

nlohmann::json rank_speeds(dist::Group& group, const RankWindow& mine) {
  nlohmann::json line = nlohmann::json::object();
  if (group.size() == 1) return line;
  const double busy = std::max(mine.seconds - mine.waited_seconds, 1e-9);
  const at::Tensor own =
      at::tensor(std::vector<double>{static_cast<double>(mine.images) / busy, mine.waited_seconds},
                 at::kDouble);
  std::vector<double> speeds;
  double waited = 0;
  for (const at::Tensor& of_rank : group.gather(own)) {
    speeds.push_back(of_rank.const_data_ptr<double>()[0]);
    waited += of_rank.const_data_ptr<double>()[1];
  }
  const auto [slowest, fastest] = std::minmax_element(speeds.begin(), speeds.end());
  line["ranks"] = group.size();
  line["slowest_rank"] = slowest - speeds.begin();
  line["slowest_rank_images_per_second"] = *slowest;
  line["fastest_rank"] = fastest - speeds.begin();
  line["fastest_rank_images_per_second"] = *fastest;
  line["rank_wait_seconds"] = waited / static_cast<double>(group.size());
  return line;
}

}  // namespace fcm::train
