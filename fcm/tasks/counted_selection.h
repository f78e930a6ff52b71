// A selection of images that reports progress while their features are computed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/eval/features.h"

namespace fcm::tasks {

// `what`: names the images in the progress line, for example "training images". `reporter` must
// outlive the result.
eval::Selection counted_selection(const std::string& what,
                                  std::shared_ptr<const loader::Dataset> dataset,
                                  std::shared_ptr<dist::Group> group, Reporter& reporter,
                                  int64_t count = eval::kEverything);

}  // namespace fcm::tasks
