// The data sets (image_set.h) and the initial weights of a run, kept from launch to launch.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/tasks/image_set.h"

namespace fcm::tasks {

struct RunFacts {
  ImageSet trained_on;
  std::optional<ImageSet> measured_on;    // the set that figures are measured on
  std::optional<ImageSet> pretrained_on;  // the set that the initial weights were trained on
  // The checkpoint that the run starts from, "" if from scratch; nullopt: pretraining without one.
  std::optional<std::string> started_from;
  nlohmann::json continued;     // state of another run's checkpoint that this run continues
  bool learns_classes = false;  // the outputs of the network are classes
};

// The members of every checkpoint's state that describe the data: kTrainedOn (with "earlier", the
// sets before this one and the step at which each ended), kMeasuredOn, kPretrainedOn and
// "started_from". `run`: the folder of the run to continue, or empty. Throws Error(kData) if the
// run learns classes and its checkpoints have other classes. Warns about other images (their
// number, list or pixels), about images that are both trained on and measured, and about other
// initial weights.
nlohmann::json about_of(const RunFacts& facts, const std::filesystem::path& run,
                        Reporter& reporter);

// The absolute path, for started_from.
std::string absolute_path(const std::filesystem::path& path);

// The notes on the figures of a run with the state `about`.
std::vector<std::string> notes_about(const nlohmann::json& about);

// Members of the result of a command that measures accuracy: the data sets, under their names, and
// "notes". These are `notes` and, if the weights were trained on measured images, a note about
// that. All notes are warnings as well.
nlohmann::json measured_facts(const ImageSet& measured, const std::optional<ImageSet>& trained_on,
                              const std::optional<ImageSet>& pretrained_on,
                              std::vector<std::string> notes, Reporter& reporter);

// put_provenance adds the data sets of a checkpoint's state and the notes on them to a result;
// put_notes adds notes. Both keep notes that are already there.
void put_provenance(nlohmann::json& result, const nlohmann::json& about);
void put_notes(nlohmann::json& result, const std::vector<std::string>& notes);

}  // namespace fcm::tasks
