#include <charconv>
#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/results.h"
#include "apps/shared_flags.h"
#include "fcm/base/error.h"

namespace fcm::apps::commands {
namespace {

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

tasks::PatchPlace patch_of(const std::string& word) {
  const size_t comma = word.find(',');
  const auto row = whole_number(std::string_view(word).substr(0, comma));
  const auto col = comma == std::string::npos
                       ? std::nullopt
                       : whole_number(std::string_view(word).substr(comma + 1));
  if (!row || !col) {
    fail(ExitCode::kUsage, "--patch {}: expected its row and column, counted from 0, like 7,7",
         word);
  }
  return {*row, *col};
}

std::string patches_text(const std::vector<tasks::PatchPlace>& patches) {
  std::string text;
  for (const auto& [row, col] : patches) text += fmt::format(" {},{}", row, col);
  return text.empty() ? text : text.substr(1);
}

// The result as text, with the neighbours of all queries in one table.
std::string neighbours_text(const nlohmann::json& result) {
  nlohmann::json flat = result, rows = nlohmann::json::array();
  for (const nlohmann::json& query : result.at("queries")) {
    for (const nlohmann::json& one : query.at("neighbours")) {
      const nlohmann::json& name = one.at("class");
      rows.push_back({{"of", query.at("picture")},
                      {"picture", one.at("picture")},
                      {"class", name.is_null() ? nlohmann::json("") : name},
                      {"similarity", one.at("similarity")}});
    }
  }
  flat.erase("queries");
  flat["neighbours"] = std::move(rows);
  return as_text(flat);
}

}  // namespace

Action visualize(Flags& flags) {
  struct Arguments {
    tasks::VisualizeRequest request;
    int64_t seed = 0;
  };
  const auto arguments = std::make_shared<Arguments>();
  tasks::VisualizeRequest& request = arguments->request;
  flags.describe(
      "Draw a sheet of reconstructions, features, attention or neighbours",
      "Example:\n  fastconvmae visualize --checkpoint runs/demo --images a.png b.jpg --out "
      "sheet.png\n  fastconvmae visualize --what neighbours --checkpoint runs/demo --data "
      "fashion-mnist --out nearest.png");
  flags.add_choice("--what", request.what, {"reconstruction", "pca", "attention", "neighbours"},
                   "reconstruction: from the visible patches of each view; pca: tokens as colours; "
                   "attention: of the last block; neighbours: the nearest images of a data "
                   "set");
  add_weights(flags, request.checkpoint);
  flags.add_words("--images", request.images, "FILE", "Images (JPEG, PNG or WebP)");
  flags.add("--out", request.out, "FILE", "The sheet, a PNG file").required();
  const Flag seed = flags.add("--seed", arguments->seed, {0, 9'000'000'000'000'000},
                              "With reconstruction: seed of the masks");
  const Flag teachers = add_teachers(flags, request.teachers);
  const Flag patches = flags.add_repeated(
      "--patch", [&request](const std::string& word) { request.patches.push_back(patch_of(word)); },
      [&request] { return patches_text(request.patches); }, "ROW,COL",
      "With attention: a query patch, its row and column from 0; may be repeated");
  const Flag data = flags.add("--data", request.data, "DATA",
                              "With neighbours: the data set whose training images are "
                              "searched; without --images some validation images are the queries");
  const Flag k = flags.add("--k", request.k, {1, 20}, "With neighbours: how many to show");
  add_overwrite(flags, request.overwrite, "Replace a PNG at --out");
  add_machine(flags, request.machine);
  return [=](const Output& output) {
    tasks::VisualizeRequest& wanted = arguments->request;
    wanted.seed = static_cast<uint64_t>(arguments->seed);
    const auto of = [&](const char* what, const std::vector<Flag>& those) {
      if (wanted.what == what) return;
      refuse(those, fmt::format("belongs to --what {}, and this is --what {}", what, wanted.what));
    };
    of("reconstruction", {seed, teachers});
    of("attention", {patches});
    of("neighbours", {data, k});
    const nlohmann::json result = tasks::visualize(wanted, output.reporter);
    return result.contains("queries") ? output.print(result, neighbours_text(result))
                                      : output.print(result);
  };
}

}  // namespace fcm::apps::commands
