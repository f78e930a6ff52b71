// Images whose features are computed with a progress line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/eval/features.h"

namespace fcm::tasks {

// `what`: the images, for the line: "training images". `reporter` must outlive the result.
eval::Selection counted_selection(const std::string& what,
                                  std::shared_ptr<const loader::Dataset> dataset,
                                  std::shared_ptr<dist::Group> group, Reporter& reporter,
                                  int64_t count = eval::kEverything);

}  // namespace fcm::tasks
