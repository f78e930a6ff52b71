#include "fcm/tasks/frozen_provenance.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "fcm/tasks/run_facts.h"

namespace fcm::tasks {

nlohmann::json frozen_provenance(const TrainedModel& trained, const loader::Dataset& fitted,
                                 const loader::Dataset& measured, const std::string& data,
                                 Reporter& reporter) {
  const ImageSet fitted_set = describe_images(fitted, data, loader::Split::kTrain);
  const ImageSet measured_set = describe_images(measured, data, loader::Split::kVal);
  nlohmann::json facts = {{kFittedOn, summary_of(fitted_set)},
                          {kMeasuredOn, summary_of(measured_set)}};
  std::vector<std::string> notes;
  if (same_images(fitted_set, measured_set)) {
    notes.push_back(
        fmt::format("{} has the same {} images for training and validation, so each query "
                    "is in the bank: the figures say nothing about other images",
                    data, measured_set.images));
  } else if (const SharedImages some =
                 shared_images(fitted_set.sample, fitted_set.images, measured_set.sample);
             some.shared > 0) {
    notes.push_back(
        fmt::format("{}: {} are for training as well as for validation, so these queries "
                    "are in the bank",
                    data, as_text(some)));
  }
  for (const auto& [name, set] : {std::pair{kTrainedOn, trained.trained_on},
                                  std::pair{kPretrainedOn, trained.pretrained_on}}) {
    if (!set) continue;
    facts[name] = summary_of(*set);
    // The notes above already say which of the fitted images are measured.
    if (!notes.empty() && same_images(*set, fitted_set)) continue;
    if (auto note = note_on_overlap(*set, measured_set)) notes.push_back(std::move(*note));
  }
  for (const std::string& note : notes) reporter.warn(note);
  put_notes(facts, notes);
  return facts;
}

}  // namespace fcm::tasks
