#include "fcm/tasks/run_facts.h"

#include <fmt/format.h>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/checkpoint/checkpoint.h"

namespace fcm::tasks {
namespace {

using nlohmann::json;

constexpr const char* kStartedFrom = "started_from";
constexpr const char* kEarlier = "earlier";
constexpr const char* kNotes = "notes";

int64_t step_of(const json& state) {
  const json counters = state.value("counters", json::object());
  return counters.is_object() ? counters.value("step", int64_t{0}) : 0;
}

void refuse_other_classes(const ImageSet& before, const ImageSet& now, const std::string& whose) {
  const std::string difference = first_difference(before.classes, now.classes);
  if (before.classes.empty() || difference.empty()) return;
  fail(ExitCode::kData,
       "the classes of {} differ from those that {} was trained on: {} (now {}; before {}), so the "
       "outputs of the network would change their meaning; choose another --out, or pass "
       "--overwrite to start again",
       now.data, whose, difference, class_list(now.classes), class_list(before.classes));
}

// Compares `facts` with the state of earlier launches, and adds the earlier data sets of that state
// to `about`.
void compare_with_earlier_state(const RunFacts& facts, const json& state, const std::string& whose,
                                json& about, Reporter& reporter) {
  const std::optional<ImageSet> before = stored_set(state, kTrainedOn);
  const ImageSet& now = facts.trained_on;
  if (!before) {
    if (!state.contains("counters")) return;  // the state is of another program
    reporter.warn(
        fmt::format("{} does not say which images and classes it was trained on, so it is not "
                    "known whether {} is the same",
                    whose, now.data));
    return;
  }
  if (facts.learns_classes) refuse_other_classes(*before, now, whose);
  json earlier = state.at(kTrainedOn).value(kEarlier, json::array());
  const bool same_list = before->images == now.images && before->list_hash == now.list_hash;
  const std::optional<std::string> other = same_list ? other_pixels(*before, now) : std::nullopt;
  if (!same_list || other) {
    const int64_t step = step_of(state);
    const std::string count = other ? fmt::format("the same number and names, but {}", *other)
                              : before->images == now.images
                                  ? "the same number of images, but a different list"
                                  : counted(now.images, "image", "images");
    reporter.warn(fmt::format(
        "{} continues with other data: up to step {} it had {} ({}), now it has "
        "{} ({}); epochs and schedules count by the new number",
        whose, step, counted(before->images, "image", "images"), before->data, count, now.data));
    json ended = summary_of(*before);
    ended["until_step"] = step;
    earlier.push_back(ended);
  }
  if (!earlier.empty()) about[kTrainedOn][kEarlier] = earlier;
  const std::optional<ImageSet> measured = stored_set(state, kMeasuredOn);
  const std::optional<ImageSet>& measures = facts.measured_on;
  if (!measured || !measures) return;
  const bool same_measured = measured->list_hash == measures->list_hash;
  const auto others = same_measured ? other_pixels(*measured, *measures) : std::nullopt;
  if (same_measured && !others) return;
  reporter.warn(fmt::format(
      "{} is measured on other images than before: {} ({}), until now {} ({}){}; figures "
      "before and after, and the best checkpoint, are not comparable",
      whose, measures->images, measures->data, measured->images, measured->data,
      others ? "; with the same names, but " + *others : ""));
}

void keep_start(const RunFacts& facts, const json& state, const std::string& whose, json& about,
                Reporter& reporter) {
  if (state.contains(kPretrainedOn)) about[kPretrainedOn] = state.at(kPretrainedOn);
  if (!state.contains(kStartedFrom) || !state.at(kStartedFrom).is_string()) return;
  const auto before = state.at(kStartedFrom).get<std::string>();
  about[kStartedFrom] = before;
  if (!facts.started_from || *facts.started_from == before) return;
  const auto name = [](const std::string& start) {
    return start.empty() ? "--from-scratch" : start;
  };
  reporter.warn(
      fmt::format("{} resumes from its own checkpoint of step {}: it was started from {}, "
                  "and {} is not used",
                  whose, step_of(state), name(before), name(*facts.started_from)));
}

// Notes on images that were both trained on and measured. `measured`: the set with image names,
// which checkpoints do not store; nullopt: the set in `about`.
std::vector<std::string> notes_on_overlaps(const json& about,
                                           std::optional<ImageSet> measured = std::nullopt) {
  std::vector<std::string> notes;
  if (!measured) measured = stored_set(about, kMeasuredOn);
  for (const char* name : {kTrainedOn, kPretrainedOn}) {
    const std::optional<ImageSet> learned = stored_set(about, name);
    if (!learned || !measured) continue;
    auto note = note_on_overlap(*learned, *measured);
    const bool is_new = note && (notes.empty() || notes.back() != *note);
    if (is_new) notes.push_back(std::move(*note));
  }
  return notes;
}

void compare_with_before(const RunFacts& facts, const std::filesystem::path& run, json& about,
                         Reporter& reporter) {
  if (facts.continued.is_object()) {
    compare_with_earlier_state(facts, facts.continued,
                               facts.started_from.value_or("the checkpoint"), about, reporter);
  }
  if (run.empty()) return;
  const std::optional<json> state = checkpoint::newest_state(run / "checkpoints");
  if (!state || !state->is_object()) return;
  compare_with_earlier_state(facts, *state, run.string(), about, reporter);
  keep_start(facts, *state, run.string(), about, reporter);
}

}  // namespace

json about_of(const RunFacts& facts, const std::filesystem::path& run, Reporter& reporter) {
  json about = {{kTrainedOn, to_json(facts.trained_on)}};
  if (facts.measured_on) {
    about[kMeasuredOn] = to_json(*facts.measured_on);
    about[kMeasuredOn].erase("classes");  // they equal those of trained_on
  }
  if (facts.pretrained_on) about[kPretrainedOn] = to_json(*facts.pretrained_on);
  if (facts.started_from) about[kStartedFrom] = *facts.started_from;
  compare_with_before(facts, run, about, reporter);
  if (facts.measured_on) {
    const std::vector<std::string> notes = notes_on_overlaps(about, facts.measured_on);
    for (const std::string& note : notes) reporter.warn(note);
    json& kept = about[kMeasuredOn][kNotes] = json::array();
    for (const std::string& note : notes) kept.push_back(escape_non_utf8(note));
  }
  return about;
}

std::string absolute_path(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::weakly_canonical(path, error);
  return escape_non_utf8((error ? path : whole).string());
}

std::vector<std::string> notes_about(const json& about) {
  std::vector<std::string> notes;
  const std::optional<ImageSet> trained = stored_set(about, kTrainedOn);
  if (trained) {
    const json earlier = about.at(kTrainedOn).value(kEarlier, json::array());
    for (const json& set : earlier) {
      notes.push_back(fmt::format("up to step {} the network was trained on {} other images ({})",
                                  set.value("until_step", int64_t{0}),
                                  set.value("images", int64_t{0}), set.value("data", "")));
    }
  }
  const json measured = about.value(kMeasuredOn, json::object());
  const std::vector<std::string> overlaps =
      measured.contains(kNotes) ? measured.at(kNotes).get<std::vector<std::string>>()
                                : notes_on_overlaps(about);
  notes.insert(notes.end(), overlaps.begin(), overlaps.end());
  return notes;
}

void put_provenance(json& result, const json& about) {
  for (const char* name : {kTrainedOn, kPretrainedOn, kMeasuredOn}) {
    if (const auto set = stored_set(about, name)) result[name] = summary_of(*set);
  }
  put_notes(result, notes_about(about));
}

void put_notes(json& result, const std::vector<std::string>& notes) {
  for (const std::string& note : notes) result["notes"].push_back(note);
}

nlohmann::json measured_facts(const ImageSet& measured, const std::optional<ImageSet>& trained_on,
                              const std::optional<ImageSet>& pretrained_on,
                              std::vector<std::string> notes, Reporter& reporter) {
  nlohmann::json facts = {{kMeasuredOn, summary_of(measured)}};
  for (const auto& [name, set] :
       {std::pair{kTrainedOn, trained_on}, std::pair{kPretrainedOn, pretrained_on}}) {
    if (!set) continue;
    facts[name] = summary_of(*set);
    auto note = note_on_overlap(*set, measured);
    const bool is_new = note && (notes.empty() || notes.back() != *note);
    if (is_new) notes.push_back(std::move(*note));
  }
  for (const std::string& note : notes) reporter.warn(note);
  put_notes(facts, notes);
  return facts;
}

}  // namespace fcm::tasks
