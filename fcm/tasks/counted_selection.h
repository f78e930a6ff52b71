// Images whose features are computed, with a progress line meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/eval/features.h"

namespace fcm::tasks {

// `what` they are, as the line says it: "training pictures". `reporter` must live as long.
eval::Selection counted_selection(const std::string& what,
                                  std::shared_ptr<const loader::Dataset> dataset,
                                  std::shared_ptr<dist::Group> group, Reporter& reporter,
                                  int64_t count = eval::kEverything);

}  // namespace fcm::tasks
