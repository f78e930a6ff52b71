#include "fcm/checkpoint/manifest.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/formats/digest.h"
#include "fcm/formats/input_file.h"

namespace fcm::checkpoint {
namespace {

using nlohmann::json;

constexpr int64_t kVersion = 1;
constexpr uint64_t kMaxManifestBytes = 64 << 20;
constexpr int kMaxDepth = 64;  // printing and freeing the tree recurse

// The hash of all members except "checksum", printed with sorted keys and without white space.
// White space in the file therefore does not matter.
std::string checksum_of(json manifest) {
  manifest.erase("checksum");
  return formats::digest_of(manifest.dump());
}

json parse_tree(const std::string& text, const std::string& file) try {
  return json::parse(text, [&](int depth, json::parse_event_t, json&) {
    if (depth > kMaxDepth) {
      fail(ExitCode::kCheckpoint, "{}: nested deeper than {} levels", file, kMaxDepth);
    }
    return true;
  });
} catch (const json::exception&) {
  fail(ExitCode::kCheckpoint, "{} is not JSON: it was cut or damaged", file);
}

const json& member(const json& object, const char* name, json::value_t type,
                   const std::string& file) {
  const auto found = object.find(name);
  if (found == object.end() || found->type() != type) {
    fail(ExitCode::kCheckpoint, "{}: \"{}\" is missing or of the wrong kind", file, name);
  }
  return *found;
}

int64_t count(const json& object, const char* name, const std::string& file) {
  const uint64_t value = member(object, name, json::value_t::number_unsigned, file).get<uint64_t>();
  if (value > uint64_t{1} << 62) {
    fail(ExitCode::kCheckpoint, "{}: \"{}\" is {}, beyond 62 bits", file, name, value);
  }
  return static_cast<int64_t>(value);
}

void check_format(const json& tree, const std::string& file) {
  if (!tree.is_object() || tree.value("format", json()) != kFormat) {
    fail(ExitCode::kCheckpoint, "{} is not a checkpoint manifest of this program", file);
  }
  if (const int64_t version = count(tree, "version", file); version != kVersion) {
    fail(ExitCode::kCheckpoint,
         "{} has format version {}, this program reads {}; try a newer release", file, version,
         kVersion);
  }
  if (member(tree, "checksum", json::value_t::string, file) != checksum_of(tree)) {
    fail(ExitCode::kCheckpoint, "{} is damaged: its own hash does not match", file);
  }
}

}  // namespace

std::string to_text(const Manifest& manifest) {
  json files = json::object();
  for (const auto& [name, record] : manifest.files) {
    files[name] = {{"size", record.size}, {"xxh3_128", record.xxh3_128}};
  }
  json tree = {{"format", kFormat},
               {"version", static_cast<uint64_t>(kVersion)},
               {"step", static_cast<uint64_t>(manifest.step)},
               {"sequence", static_cast<uint64_t>(manifest.sequence)},
               {"files", std::move(files)},
               {"state", manifest.state}};
  std::string text;
  try {
    tree["checksum"] = checksum_of(tree);
    text = tree.dump(1) + "\n";
  } catch (const json::exception& error) {
    fail(ExitCode::kCheckpoint, "the state of step {} cannot be saved: {}", manifest.step,
         error.what());
  }
  // Parses the new text, so that every committed checkpoint can be resumed from. The JSON library
  // prints NaN and infinity as null, so a state that holds one differs from the parsed state.
  if (parse_manifest(text, "the new manifest").state != manifest.state) {
    fail(ExitCode::kCheckpoint,
         "the state of step {} cannot be saved: it holds NaN or infinity, which JSON lacks",
         manifest.step);
  }
  return text;
}

Manifest parse_manifest(const std::string& text, const std::string& file) {
  const json tree = parse_tree(text, file);
  check_format(tree, file);
  Manifest manifest;
  manifest.step = count(tree, "step", file);
  manifest.sequence = count(tree, "sequence", file);
  const json& files = member(tree, "files", json::value_t::object, file);
  // The names are fixed, so a manifest cannot make this program open any other file.
  for (const char* name : {kModelFile, kOptimizerFile}) {
    const json& record = member(files, name, json::value_t::object, file);
    manifest.files[name] = {
        static_cast<uint64_t>(count(record, "size", file)),
        member(record, "xxh3_128", json::value_t::string, file).get<std::string>()};
  }
  if (files.size() != manifest.files.size()) {
    fail(ExitCode::kCheckpoint, "{}: lists files other than {} and {}", file, kModelFile,
         kOptimizerFile);
  }
  if (!tree.contains("state")) fail(ExitCode::kCheckpoint, "{}: \"state\" is missing", file);
  manifest.state = tree["state"];
  return manifest;
}

Manifest read_manifest(const std::filesystem::path& step_folder) {
  formats::InputFile input(step_folder / kManifestFile, nullptr);
  if (input.size() > kMaxManifestBytes) {
    fail(ExitCode::kCheckpoint, "{} has {} bytes, at most {} are read", input.name(), input.size(),
         kMaxManifestBytes);
  }
  std::string text(static_cast<size_t>(input.size()), '\0');
  input.read(std::as_writable_bytes(std::span(text)));
  return parse_manifest(text, input.name());
}

}  // namespace fcm::checkpoint
