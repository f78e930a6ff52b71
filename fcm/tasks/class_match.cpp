#include "fcm/tasks/class_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/loader/wrapped_dataset.h"
#include "fcm/tasks/image_set.h"

namespace fcm::tasks {
namespace {

using loader::Dataset;

// The same images, labelled with the classifier's class indices.
class Renumbered final : public loader::WrappedDataset {
 public:
  Renumbered(std::shared_ptr<const Dataset> whole, std::vector<std::string> classes,
             std::vector<int64_t> answer_of)
      : WrappedDataset(std::move(whole)),
        classes_(std::move(classes)),
        answer_of_(std::move(answer_of)) {}

  int64_t label(int64_t index) const override {
    const int64_t label = whole_->label(index);
    return label < 0 ? label : answer_of_.at(static_cast<size_t>(label));
  }
  const std::vector<std::string>& classes() const override { return classes_; }

 private:
  std::vector<std::string> classes_;
  std::vector<int64_t> answer_of_;
};

// The index of each name; empty if a name occurs twice.
std::map<std::string, int64_t> places_of(const std::vector<std::string>& names) {
  std::map<std::string, int64_t> places;
  for (const std::string& name : names) {
    if (!places.emplace(name, std::ssize(places)).second) return {};
  }
  return places;
}

}  // namespace

ClassMatch match_classes(const TrainedClasses& classes, int64_t outputs,
                         const std::shared_ptr<const Dataset>& dataset, const std::string& data,
                         const std::string& classifier) {
  const std::vector<std::string>&found = dataset->classes(), &trained = classes.names;
  const bool as_many = std::ssize(found) == outputs;
  const bool counts_match = std::ssize(trained) == outputs;
  const std::vector<std::string> names = printable(found);
  if (counts_match && names == trained) return {dataset, {}};
  if (!counts_match) {
    if (!as_many) {
      fail(ExitCode::kData, "{} has {} ({}), the classifier {} has {}", data,
           counted(std::ssize(found), "class", "classes"), class_list(names), classifier, outputs);
    }
    return {dataset,
            {fmt::format("{} does not say which classes its outputs are; they are assumed to be "
                         "those of {} in this order: {}",
                         classifier, data, class_list(names))}};
  }
  const std::map<std::string, int64_t> places = places_of(trained);
  const bool known = std::all_of(names.begin(), names.end(),
                                 [&](const std::string& name) { return places.contains(name); });
  if (!known && as_many && (dataset->remarks().only_numbered || classes.only_numbered)) {
    return {dataset,
            {fmt::format("one side has numbers instead of class names, so classes are matched by "
                         "index: {} has {}, {} was trained on {}",
                         data, class_list(names), classifier, class_list(trained))}};
  }
  std::vector<int64_t> answer_of;
  for (const std::string& name : names) {
    const auto place = places.find(name);
    if (place == places.end()) {
      fail(ExitCode::kData,
           "the classes of {} differ from those that {} was trained on: the classifier does not "
           "have \"{}\" ({} has {}; the classifier has {}); measure it on images of its own "
           "classes, or train a head for the new ones with fastconvmae finetune",
           data, classifier, name, data, class_list(names), class_list(trained));
    }
    answer_of.push_back(place->second);
  }
  const std::string how =
      as_many ? fmt::format(
                    "the classes of {} are in another order than those that {} was "
                    "trained on ({})",
                    data, classifier, first_difference(trained, names))
              : fmt::format(
                    "{} has only {} of the {} classes that {} was trained on and may predict "
                    "({})",
                    data, names.size(), outputs, classifier, class_list(names));
  return {std::make_shared<Renumbered>(dataset, trained, std::move(answer_of)),
          {how + ": matched by name"}};
}

std::string why_other_head(const checkpoint::Checkpoint& checkpoint, int64_t rows, int64_t wanted,
                           const std::vector<std::string>& classes, Reporter& reporter) {
  if (rows != wanted) {
    return fmt::format("has a head for {}, these images have {}", counted(rows, "class", "classes"),
                       wanted);
  }
  if (classes.empty()) return {};
  const std::vector<std::string> names = printable(classes);
  const std::optional<ImageSet> set = stored_set(checkpoint.state, kTrainedOn);
  if (!set || std::ssize(set->classes) != rows) {
    reporter.warn(fmt::format(
        "{} has a head for {} and does not say for which: they are assumed "
        "to be these, in this order: {}",
        checkpoint.path.string(), counted(rows, "class", "classes"), class_list(names)));
    return {};
  }
  const std::string difference = first_difference(set->classes, names);
  return difference.empty() ? "" : "has a head for other classes (" + difference + ")";
}

}  // namespace fcm::tasks
