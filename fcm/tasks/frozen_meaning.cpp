#include "fcm/tasks/frozen_meaning.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "fcm/tasks/run_facts.h"

namespace fcm::tasks {

nlohmann::json frozen_meaning(const TrainedModel& trained, const loader::Dataset& fitted,
                              const loader::Dataset& measured, const std::string& data,
                              Reporter& reporter) {
  const PictureSet known = describe_pictures(fitted, data, loader::Split::kTrain);
  const PictureSet asked = describe_pictures(measured, data, loader::Split::kVal);
  nlohmann::json facts = {{kFittedOn, summary_of(known)}, {kMeasuredOn, summary_of(asked)}};
  std::vector<std::string> notes;
  if (same_pictures(known, asked)) {
    notes.push_back(
        fmt::format("{} has the same {} images for training and validation, so each query "
                    "is in the bank: the figures say nothing about other images",
                    data, asked.images));
  } else if (const SharedPictures some = shared_pictures(known.sample, known.images, asked.sample);
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
    // If all sets are the same, that was already noted.
    if (!notes.empty() && same_pictures(*set, known)) continue;
    if (auto note = note_on_overlap(*set, asked)) notes.push_back(std::move(*note));
  }
  for (const std::string& note : notes) reporter.warn(note);
  put_notes(facts, notes);
  return facts;
}

}  // namespace fcm::tasks
