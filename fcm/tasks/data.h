// Data sets as commands want them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// What a set passed over and took for granted, a line each, as they follow the name of the data.
std::vector<std::string> remark_lines(const loader::Dataset& dataset);

// A data set of which `wanted` may be asked for, where it has that; says its remarks. Throws
// Error(kData).
std::shared_ptr<const loader::Dataset> open_pictures(
    const std::string& data, loader::Split split, const Machine& machine, Reporter& reporter,
    loader::TargetKind wanted = loader::TargetKind::kNone);

// A data set with labels; says its remarks. Error(kData) where it has none or more than one in ten
// cannot be used: how many, and what is wrong with the first. Fewer are said.
std::shared_ptr<const loader::Dataset> open_labelled(const std::string& data, loader::Split split,
                                                     const Machine& machine, Reporter& reporter);

// Error(kData) where training and validation images do not have the same classes: which differ.
void refuse_different_classes(const std::string& data, const loader::Dataset& train,
                              const loader::Dataset& val);

struct LabelledData {
  std::shared_ptr<const loader::Dataset> train, val;
};
// Both splits, with labels and the same classes. What is remarked of both is said once.
LabelledData open_labelled_splits(const std::string& data, const Machine& machine,
                                  Reporter& reporter);

// Both splits, with maps of the same classes. What is remarked of both is said once. Throws
// Error(kData) where images have no maps.
LabelledData open_mapped_splits(const std::string& data, const Machine& machine,
                                Reporter& reporter);
std::shared_ptr<const loader::Dataset> open_mapped(const std::string& data, loader::Split split,
                                                   const Machine& machine, Reporter& reporter);

// The same with objects, of the same classes with the same ids.
LabelledData open_instance_splits(const std::string& data, const Machine& machine,
                                  Reporter& reporter);
std::shared_ptr<const loader::Dataset> open_instances(const std::string& data, loader::Split split,
                                                      const Machine& machine, Reporter& reporter);

// Names the images that a measurement left out, as it gives the reasons; of many the first.
void warn_of_unreadable(const std::vector<std::string>& reasons, Reporter& reporter);

// The same images, where a label that cannot be used is none (-1): for work to which labels are a
// side matter.
std::shared_ptr<const loader::Dataset> with_optional_labels(
    std::shared_ptr<const loader::Dataset> dataset);

}  // namespace fcm::tasks
