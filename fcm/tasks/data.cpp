#include "fcm/tasks/data.h"

#include "fcm/base/error.h"
#include "fcm/tasks/machine.h"

namespace fcm::tasks {

std::shared_ptr<const loader::Dataset> open_labelled(const std::string& data, loader::Split split,
                                                     const Machine& machine) {
  std::shared_ptr<const loader::Dataset> dataset =
      loader::open_dataset(data, split, open_options(machine));
  if (dataset->classes().empty()) {
    dataset->label(0);  // throws what is wrong with it where there are labels, but none of a class
    fail(ExitCode::kData, "{} has no labels, which measuring accuracy needs", data);
  }
  return dataset;
}

void refuse_different_classes(const std::string& data, const loader::Dataset& train,
                              const loader::Dataset& val) {
  if (train.classes() == val.classes()) return;
  fail(ExitCode::kData,
       "{}: the classes of the training and validation pictures differ, so accuracy would mean "
       "nothing",
       data);
}

LabelledData open_labelled_splits(const std::string& data, const Machine& machine) {
  LabelledData both{open_labelled(data, loader::Split::kTrain, machine),
                    open_labelled(data, loader::Split::kVal, machine)};
  refuse_different_classes(data, *both.train, *both.val);
  return both;
}

}  // namespace fcm::tasks
