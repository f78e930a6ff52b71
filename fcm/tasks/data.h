// Data sets as the commands need them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// What a set skipped or assumed, a line each, to be printed after the name of the data.
std::vector<std::string> remark_lines(const loader::Dataset& dataset);

// Opens a data set whose samples have targets of kind `wanted`, if it has such; reports its
// remarks. Throws Error(kData).
std::shared_ptr<const loader::Dataset> open_images(
    const std::string& data, loader::Split split, const MachineOptions& machine, Reporter& reporter,
    loader::TargetKind wanted = loader::TargetKind::kNone);

// A data set with labels; reports its remarks. Throws Error(kData) if it has none, or if more than
// one in ten are unusable, with their number and the first fault. Fewer are a warning.
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
// Both splits, with labels and the same classes. Remarks on both are reported once.
LabelledData open_labelled_splits(const std::string& data, const MachineOptions& machine,
                                  Reporter& reporter);

// Both splits, with class maps of the same classes. Remarks on both are reported once. Throws
// Error(kData) if images have no maps.
LabelledData open_mapped_splits(const std::string& data, const MachineOptions& machine,
                                Reporter& reporter);
std::shared_ptr<const loader::Dataset> open_mapped(const std::string& data, loader::Split split,
                                                   const MachineOptions& machine,
                                                   Reporter& reporter);

// The same with objects, of the same classes with the same ids.
LabelledData open_instance_splits(const std::string& data, const MachineOptions& machine,
                                  Reporter& reporter);
std::shared_ptr<const loader::Dataset> open_instances(const std::string& data, loader::Split split,
                                                      const MachineOptions& machine,
                                                      Reporter& reporter);

// Warns about categories of `measured` whose AP can only be 0, since `trained` (the objects of each
// class that were learnt from; empty: unknown) has none of them. `trained_on` is for the message.
void warn_of_unlearnt(const std::string& data, const std::vector<int64_t>& trained,
                      const loader::InstanceClasses& measured, std::string_view trained_on,
                      Reporter& reporter);

// Warns about images that were not measured, with the reasons; of many the first ones.
void warn_of_unreadable(const std::vector<std::string>& reasons, Reporter& reporter);

// The same images, where an unusable label is -1: for work that only uses labels on the side.
std::shared_ptr<const loader::Dataset> with_optional_labels(
    std::shared_ptr<const loader::Dataset> dataset);

}  // namespace fcm::tasks
