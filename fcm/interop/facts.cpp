#include "fcm/interop/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "fcm/base/error.h"
#include "fcm/interop/facts_collector.h"
#include "fcm/interop/teacher_file.h"

namespace fcm::interop {
namespace {

using nlohmann::json;

bool sets_key(const std::vector<std::string>& overrides, const std::string& key) {
  return std::any_of(overrides.begin(), overrides.end(), [&](const std::string& assignment) {
    return assignment.starts_with(key + "=");
  });
}

// Repeats a single value for all channels.
json for_channels(const json& numbers, int64_t channels) {
  if (!numbers.is_array() || numbers.size() != 1) return numbers;
  return json(std::vector<json>(static_cast<size_t>(std::max<int64_t>(channels, 1)), numbers[0]));
}

// Drops mean and std together if either is unusable; expands both to one value per channel.
void fit_normalisation(const checkpoint::Checkpoint& checkpoint, json& facts) {
  const auto architecture = recognise(checkpoint.model.tensors);
  const bool sound = !member(member(facts, "unusable"), "data.mean").is_string() &&
                     !member(member(facts, "unusable"), "data.deviation").is_string();
  for (const char* key : {"data.mean", "data.deviation"}) {
    if (member(member(facts, "keys"), key).is_null()) continue;
    if (!sound) {
      facts["keys"].erase(key);
    } else if (architecture) {
      facts["keys"][key] = for_channels(facts["keys"][key], architecture->channels);
    }
  }
  if (facts.contains("keys") && facts["keys"].empty()) facts.erase("keys");
}

// The members that are strings.
json texts_of(const json& object) {
  json texts = json::object();
  if (!object.is_object()) return texts;
  for (const auto& [key, value] : object.items()) {
    if (value.is_string()) texts[key] = value;
  }
  return texts;
}

json notes_of(const json& stored) {
  constexpr size_t kMost = 32;
  json notes = json::array();
  for (size_t i = 0; stored.is_array() && i < std::min(stored.size(), kMost); ++i) {
    if (!member(stored[i], "key").is_string() || !member(stored[i], "sentence").is_string())
      continue;
    notes.push_back({{"key", stored[i]["key"]}, {"sentence", stored[i]["sentence"]}});
  }
  return notes;
}

// The file's own words for a key; if there are none, "<source> says <key> = <value>".
std::string words_for(const json& facts, const char* key, const json& value) {
  const std::string words = text_in(member(member(facts, "names"), key));
  if (!words.empty()) return words;
  return fmt::format("{} says {} = {}", text_in(member(facts, "source")), key, value.dump());
}

// Why a fact cannot be true for these tensors; empty: it can be.
std::string misfit(const json& facts, const char* key, const Architecture& architecture) {
  const json& value = member(member(facts, "keys"), key);
  const std::string_view name(key);
  if (name.ends_with(".heads")) {
    const auto heads = whole(value);
    if (name.starts_with("decoder") && !architecture.decoder) return {};
    const int64_t width =
        name.starts_with("decoder") ? architecture.decoder->dim : architecture.encoder.dims.back();
    if (!heads || width % *heads == 0) return {};
    return fmt::format("{}, which does not divide the {} channels of the weights",
                       words_for(facts, key, value), width);
  }
  const auto size = static_cast<int64_t>(value.size());
  if (!value.is_array() || size == 1 || size == architecture.channels) return {};
  return fmt::format("{}, and the weights take images of {} channels", words_for(facts, key, value),
                     architecture.channels);
}

}  // namespace

json facts_in(const checkpoint::Checkpoint& checkpoint) {
  const json& stored = member(checkpoint.state, kFactsKey);
  if (!stored.is_object()) return json::object();
  FactsCollector facts(text_in(member(stored, "source")));
  const json& keys = member(stored, "keys");
  for (const char* key : {"encoder.heads", "decoder.heads"}) facts.take_heads(key, keys, key);
  facts.take_epsilon(keys, "encoder.norm_epsilon");
  facts.take_normalisation(keys, "data.mean", "data.deviation");
  facts.take_interpolation(keys, "data.interpolation");
  if (const auto size = extent(member(keys, "data.image_size"))) {
    facts.take("data.image_size", *size);
  }
  const json& norm_pix = member(keys, "targets.norm_pix");
  if (norm_pix.is_boolean()) facts.take("targets.norm_pix", norm_pix.get<bool>());
  facts.take_crop(member(stored, "eval_crop"));
  facts.take_pool(member(stored, "pool"));
  const json& refused = member(stored, "refused");
  for (size_t i = 0; refused.is_array() && i < refused.size(); ++i) {
    if (refused[i].is_string()) facts.refuse("{}", refused[i].get<std::string>());
  }
  json all = facts.take_all();
  fit_normalisation(checkpoint, all);
  // Keeps the stored sentences, which were made from the files. Sentences about faults of the
  // stored values are dropped: such a value counts as absent.
  for (const char* key : {"names", "unusable", "notes"}) all.erase(key);
  for (const char* key : {"names", "unusable"}) {
    if (json texts = texts_of(member(stored, key)); !texts.empty()) all[key] = std::move(texts);
  }
  if (json notes = notes_of(member(stored, "notes")); !notes.empty())
    all["notes"] = std::move(notes);
  return all;
}

std::string disagreement(const json& facts, const Architecture& architecture) {
  const json& sizes = member(facts, "sizes");
  const encoder::EncoderOptions& encoder = architecture.encoder;
  const auto compare = [&](const char* name, int64_t found) -> std::string {
    const auto said = whole(member(sizes, name));
    if (!said || *said == found) return {};
    return fmt::format("{} says {} {}, the weights have {}", text_in(member(facts, "source")), name,
                       *said, found);
  };
  for (const auto& [name, found] :
       {std::pair{"dim", encoder.dims.back()}, std::pair{"depth", encoder.depths.back()},
        std::pair{"patch", encoder.patch_side()}}) {
    if (std::string one = compare(name, found); !one.empty()) return one;
  }
  return {};
}

std::vector<std::string> as_overrides(const json& facts, const Architecture& architecture) {
  std::vector<std::string> overrides;
  const json& keys = member(facts, "keys");
  if (!keys.is_object()) return overrides;
  for (const auto& [key, value] : keys.items()) {
    if (key == "data.image_size" && architecture.patches > 0) {  // the table decides
      const auto size = extent(value);
      const int64_t side = architecture.encoder.patch_side();
      const bool fits = size && (*size)[0] / side * ((*size)[1] / side) == architecture.patches;
      if (!fits) continue;
    }
    if (key == "decoder.heads" && !architecture.decoder) continue;
    const bool one_for_all = key == "data.mean" || key == "data.deviation";
    const json said = one_for_all ? for_channels(value, architecture.channels) : value;
    overrides.push_back(
        fmt::format("{}={}", key, said.is_string() ? said.get<std::string>() : said.dump()));
  }
  return overrides;
}

std::vector<std::string> notes_in(const json& facts, const std::vector<std::string>& set) {
  std::vector<std::string> sentences;
  for (const json& note : member(facts, "notes")) {
    const std::string key = text_in(member(note, "key"));
    if (key.empty() || !sets_key(set, key)) sentences.push_back(text_in(member(note, "sentence")));
  }
  return sentences;
}

void refuse_unsupported(const checkpoint::Checkpoint& checkpoint,
                        const std::vector<std::string>& set) {
  if (checkpoint.state.contains("recipe")) return;
  const std::string source = checkpoint.path.string();
  const json facts = facts_in(checkpoint);
  const auto or_teacher = [&] {
    const std::string teacher = describe_teacher(checkpoint.model.tensors);
    return teacher.empty() ? "" : "; it holds " + teacher;
  };
  if (const json& refused = member(facts, "refused"); !refused.is_null()) {
    fail(ExitCode::kCheckpoint, "{}: {}{}", source, refused[0].get<std::string>(), or_teacher());
  }
  const json unusable = texts_of(member(facts, "unusable"));
  for (const auto& [key, sentence] : unusable.items()) {
    if (sets_key(set, key)) continue;
    fail(ExitCode::kCheckpoint, "{}: {}; mend the file, or give --set {}=...", source,
         sentence.get<std::string>(), key);
  }
  const auto architecture = recognise(checkpoint.model.tensors);
  if (!architecture) return;
  if (!architecture->foreign.empty()) {
    fail(ExitCode::kCheckpoint, "{}: {}{}", source, architecture->foreign, or_teacher());
  }
  for (const char* key : {"encoder.heads", "decoder.heads", "data.mean", "data.deviation"}) {
    const std::string fault = misfit(facts, key, *architecture);
    if (fault.empty() || sets_key(set, key)) continue;
    fail(ExitCode::kCheckpoint, "{}: {}; mend the file, or give --set {}=...", source, fault,
         std::string(key));
  }
}

}  // namespace fcm::interop
