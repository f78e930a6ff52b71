#include "fcm/tasks/counted_selection.h"

#include <algorithm>
#include <utility>

#include "fcm/base/progress.h"

namespace fcm::tasks {

eval::Selection counted_selection(const std::string& what,
                                  std::shared_ptr<const loader::Dataset> dataset,
                                  std::shared_ptr<dist::Group> group, Reporter& reporter,
                                  int64_t count) {
  const int64_t total = std::min(count, dataset->size()), ranks = group->size();
  std::shared_ptr<Progress> progress;
  const auto tell = [&reporter, what, total, ranks, progress](int64_t images) mutable {
    if (images == 0) progress = std::make_shared<Progress>(reporter, what, total);
    if (progress) progress->add(images * ranks);
  };
  return {std::move(dataset), count, std::move(group), tell};
}

}  // namespace fcm::tasks
