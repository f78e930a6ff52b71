// Tests that every edge in fcm/edges.txt is used by an include of its folder. layering_test.cpp
// refuses includes that are not listed.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "fcm/base/file.h"

namespace fcm {
namespace {

namespace fs = std::filesystem;

// A regular expression for includes of a library or of a folder: "fcm/NAME/, or "NAME/ for a folder
// beside fcm/.
std::regex include_of(const std::string& edge) {
  static const std::map<std::string, std::string> kLibraries = {
      {"torch", "<(ATen|c10|torch)/"},
      {"cuda", "<(cuda_|cublasLt)"},
      {"jpeg", "<(jpeglib|jerror|turbojpeg)"},
      {"png", "<png"},
      {"webp", "<webp/"},
      {"tiff", "<tiffio"},
      {"zlib", "<zlib"},
      {"json", "<nlohmann/"},
      {"toml", "<toml\\+\\+/"},
      {"xxhash", "<xx"},
      {"deflate", "<libdeflate"},
      {"protozero", "<protozero/"}};
  const auto library = kLibraries.find(edge);
  return std::regex("(^|\n)[ \t]*#[ \t]*include[ \t]*" +
                    (library != kLibraries.end() ? library->second : "\"(fcm/)?" + edge + "/"));
}

// The texts "FOLDER EDGE" of all edges without a matching include. `texts` maps a folder to its
// sources.
std::vector<std::string> unused_edges(const std::string& edges_text,
                                      const std::map<std::string, std::string>& texts) {
  std::vector<std::string> unused;
  std::set<std::string> with_torch;  // folders that list torch: their headers need it
  std::istringstream lines(edges_text);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (line.empty() || line[0] == '#' || colon == line.npos) continue;
    const std::string folder = line.substr(0, colon);
    std::istringstream edges(line.substr(colon + 1));
    bool torch_comes_along = false;
    for (std::string edge; edges >> edge;) {
      const auto text = texts.find(folder);
      const bool used = text != texts.end() && std::regex_search(text->second, include_of(edge));
      torch_comes_along = torch_comes_along || (used && with_torch.contains(edge));
      if (edge == "torch") with_torch.insert(folder);
      if (!used && !(edge == "torch" && torch_comes_along)) unused.push_back(folder + " " + edge);
    }
  }
  return unused;
}

// The concatenated sources of each folder in fcm/ and of each folder beside it.
std::map<std::string, std::string> sources_by_folder() {
  const fs::path root = FCM_SOURCE_DIR;
  std::map<std::string, std::string> texts;
  for (const fs::path& parent : {root, root / "fcm"}) {
    for (const auto& folder : fs::directory_iterator(parent)) {
      const std::string name = folder.path().filename();
      const bool is_source = parent != root || name == "bench" || name == "reference";
      if (!folder.is_directory() || !is_source) continue;
      for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
        const std::string ending = entry.path().extension();
        if (ending == ".md" || !entry.is_regular_file()) continue;
        texts[name] += read_file(entry.path(), ExitCode::kData) + "\n";
      }
    }
  }
  return texts;
}

std::string as_text(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(Edges, EachIsUsed) {
  const std::string edges = read_file(fs::path(FCM_SOURCE_DIR) / "fcm/edges.txt", ExitCode::kData);
  EXPECT_EQ(as_text(unused_edges(edges, sources_by_folder())), "");
}

TEST(Edges, AnUnusedOneIsNoticed) {
  const std::map<std::string, std::string> texts = {
      {"base", "#include <string>\n"},
      {"ops", "#include <ATen/ATen.h>\n#include \"fcm/base/error.h\"\n"},
      {"nn", "// #include \"fcm/ops/op.h\"\n#include \"fcm/base/error.h\"\n"},
      {"interop", "#include \"fcm/ops/gelu/op.h\"\n"},
      {"bench", "#include \"reference/mae.h\"\n"}};
  EXPECT_EQ(as_text(unused_edges("# words\nbase:\nops: base torch\nnn: base ops torch\n"
                                 "interop: ops torch\nbench: reference json\nlost: base\n",
                                 texts)),
            "nn ops\nnn torch\nbench json\nlost base\n");
}

}  // namespace
}  // namespace fcm
