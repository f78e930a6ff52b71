// Opens data sets for the commands, checks them and reports remarks on them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// What the loader skipped or assumed, one line each, to be printed after the name of the data.
std::vector<std::string> remark_lines(const loader::Dataset& dataset);

// Opens a data set and reports its remarks. Its samples have targets of kind `wanted` if the data
// has such targets. Throws Error(kData).
std::shared_ptr<const loader::Dataset> open_images(
    const std::string& data, loader::Split split, const MachineOptions& machine, Reporter& reporter,
    loader::TargetKind wanted = loader::TargetKind::kNone);

// Opens a data set with labels and reports its remarks. Throws Error(kData) if it has no labels, or
// if more than one label in ten is unusable, with their number and the first fault. Warns of fewer
// unusable labels, and of data with only one class.
std::shared_ptr<const loader::Dataset> open_labelled(const std::string& data, loader::Split split,
                                                     const MachineOptions& machine,
                                                     Reporter& reporter);

// Throws Error(kData) if training and validation images have different classes, with the
// differences.
void refuse_different_classes(const std::string& data, const loader::Dataset& train,
                              const loader::Dataset& val);

struct LabelledData {
  std::shared_ptr<const loader::Dataset> train, val;
};
// Opens both splits, which must have labels of the same classes; otherwise throws Error(kData). A
// remark on both splits is reported once.
LabelledData open_labelled_splits(const std::string& data, const MachineOptions& machine,
                                  Reporter& reporter);

// Opens both splits, which must have class maps of the same classes; open_mapped opens one split. A
// remark on both splits is reported once. Throws Error(kData) if images have no maps, or if the
// classes differ.
LabelledData open_mapped_splits(const std::string& data, const MachineOptions& machine,
                                Reporter& reporter);
std::shared_ptr<const loader::Dataset> open_mapped(const std::string& data, loader::Split split,
                                                   const MachineOptions& machine,
                                                   Reporter& reporter);

// Like open_mapped_splits and open_mapped, for annotated objects instead of maps. The ids of the
// classes must be the same in both splits, too.
LabelledData open_instance_splits(const std::string& data, const MachineOptions& machine,
                                  Reporter& reporter);
std::shared_ptr<const loader::Dataset> open_instances(const std::string& data, loader::Split split,
                                                      const MachineOptions& machine,
                                                      Reporter& reporter);

// Warns about categories of `measured` whose AP can only be 0, because the training images have no
// such object. `trained`: the number of objects of each class in the training images; empty:
// unknown. `trained_on` names the training images in the message.
void warn_of_unlearnt(const std::string& data, const std::vector<int64_t>& trained,
                      const loader::InstanceClasses& measured, std::string_view trained_on,
                      Reporter& reporter);

// Warns about images that were not measured, with the reasons of the first 20.
void warn_of_unreadable(const std::vector<std::string>& reasons, Reporter& reporter);

// The same data set, in which an unusable label is -1 instead of an error: for commands that do not
// depend on labels.
std::shared_ptr<const loader::Dataset> with_optional_labels(
    std::shared_ptr<const loader::Dataset> dataset);

}  // namespace fcm::tasks
