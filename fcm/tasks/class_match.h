// Matches the classes of a classifier with those of a data set, by name, not by index.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/loader/dataset.h"

namespace fcm::tasks {

struct ClassMatch {
  std::shared_ptr<const loader::Dataset> dataset;  // its labels are the classifier's class indices
  std::vector<std::string> notes;                  // remarks on the figures
};

// The names of a classifier's classes, by index.
struct TrainedClasses {
  std::vector<std::string> names;  // empty if unknown
  bool only_numbered = false;      // trained on numeric labels without names
};

// The classifier has `answers` outputs. Equal names in the same order: the set is returned as it
// is. All names of the set among the classifier's: matched by name, with a note. If either has only
// numeric labels (a list, shards) and the numbers of classes are equal: matched by index, with a
// note. Folders whose names are numbers count as names. `data` and `classifier` are for messages.
// Otherwise throws Error(kData).
ClassMatch match_classes(const TrainedClasses& trained, int64_t answers,
                         const std::shared_ptr<const loader::Dataset>& dataset,
                         const std::string& data, const std::string& classifier);

// The reason why a checkpoint's head for `rows` classes does not fit `wanted` classes with the
// names `classes` (no names: only the numbers are compared). Returns an empty text if the head
// fits. Warns if the checkpoint does not say which classes its head has, and accepts it.
std::string why_other_head(const checkpoint::Checkpoint& checkpoint, int64_t rows, int64_t wanted,
                           const std::vector<std::string>& classes, Reporter& reporter);

}  // namespace fcm::tasks
