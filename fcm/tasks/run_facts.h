// The data and the start of a run (image_set.h), kept from launch to launch.
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
  std::optional<ImageSet> measured_on;    // what figures are measured on
  std::optional<ImageSet> pretrained_on;  // what the initial weights were trained on
  // The checkpoint that the run starts from, "" for none; nullopt: its task takes none.
  std::optional<std::string> started_from;
  nlohmann::json continued;     // state of another run's checkpoint that this run continues
  bool learns_classes = false;  // its outputs are classes
};

// Members of every checkpoint's state: kTrainedOn, with "earlier", the sets before this one and the
// step at which each ended; kMeasuredOn, kPretrainedOn and "started_from". `run`: a run to
// continue, or empty. Throws Error(kData) if it learns classes and its checkpoints have others.
// Warns about another number or list of images, and about other initial weights.
nlohmann::json about_of(const RunFacts& facts, const std::filesystem::path& run,
                        Reporter& reporter);

// For started_from: a path that is valid from any folder.
std::string absolute_path(const std::filesystem::path& path);

// The notes that belong to the figures of such a run.
std::vector<std::string> notes_about(const nlohmann::json& about);

// The data sets behind the figures of a command that measures accuracy, under their names, and
// "notes": those given in `notes`, then a note if the weights were trained on measured images,
// which is also a warning.
nlohmann::json measured_facts(const ImageSet& measured, const std::optional<ImageSet>& trained_on,
                              const std::optional<ImageSet>& pretrained_on,
                              std::vector<std::string> notes, Reporter& reporter);

// Adds the sets of a checkpoint's state, without names, and these notes to a result. Keeps notes
// that are already there.
void put_provenance(nlohmann::json& result, const nlohmann::json& about);
void put_notes(nlohmann::json& result, const std::vector<std::string>& notes);

}  // namespace fcm::tasks
