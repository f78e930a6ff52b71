// Data sets as commands want them.
#pragma once

#include <memory>
#include <string>

#include "fcm/loader/dataset.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// A data set with labels, or Error(kData).
std::shared_ptr<const loader::Dataset> open_labelled(const std::string& data, loader::Split split,
                                                     const Machine& machine);

// Error(kData) where training and validation pictures do not have the same classes.
void refuse_different_classes(const std::string& data, const loader::Dataset& train,
                              const loader::Dataset& val);

struct LabelledData {
  std::shared_ptr<const loader::Dataset> train, val;
};
// Both splits, with labels and the same classes.
LabelledData open_labelled_splits(const std::string& data, const Machine& machine);

}  // namespace fcm::tasks
