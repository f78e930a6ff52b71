// Matches the classes of a classifier with those of a data set by their names.
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
  std::vector<std::string> notes;                  // remarks on how classes were matched
};

// The names of the classes that a classifier was trained on, by index.
struct TrainedClasses {
  std::vector<std::string> names;  // empty if unknown
  bool only_numbered = false;      // trained on numeric labels without names
};

// Matches the classes of `dataset` with those of a classifier that has `outputs` outputs:
// - If the names are equal and in the same order, returns the data set as it is.
// - If the classifier has all names of the data set, matches by name, with a note.
// - If either has only numeric labels (a list, shards) and both have the same number of classes,
//   matches by index, with a note. Folders whose names are numbers count as names.
// - If the classifier's class names are unknown and the number of classes is equal, matches by
//   index, with a note.
// - Otherwise throws Error(kData).
// `data` and `classifier` name the two in messages.
ClassMatch match_classes(const TrainedClasses& trained, int64_t outputs,
                         const std::shared_ptr<const loader::Dataset>& dataset,
                         const std::string& data, const std::string& classifier);

// The reason why a checkpoint's head for `rows` classes does not fit `wanted` classes with the
// names `classes` (if there are no names, only the numbers are compared). Returns an empty text if
// the head fits. If the checkpoint does not say which classes its head has, accepts it with a
// warning.
std::string why_other_head(const checkpoint::Checkpoint& checkpoint, int64_t rows, int64_t wanted,
                           const std::vector<std::string>& classes, Reporter& reporter);

}  // namespace fcm::tasks
