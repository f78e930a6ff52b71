// Checks every #include in fcm/ and the folders beside it: fcm/edges.txt lists what each folder may
// include.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fcm {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;  // from paths ("fcm/ops/patches.h") to texts
using Lines = std::vector<std::string>;

const std::set<std::string> kLibraries = {"torch", "cuda",   "jpeg",    "png",
                                          "webp",  "tiff",   "zlib",    "json",
                                          "toml",  "xxhash", "deflate", "protozero"};

struct Edges {
  std::map<std::string, std::set<std::string>> of;  // folders and libraries that a folder lists
  Lines violations;
};

Edges parse_edges(const std::string& text) {
  Edges edges;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string folder, word;
    words >> folder;
    if (folder.back() != ':') {
      edges.violations.push_back("edges.txt: not \"folder: edges\": " + line);
      continue;
    }
    folder.pop_back();
    if (edges.of.contains(folder)) edges.violations.push_back("edges.txt: twice: " + folder);
    std::set<std::string> targets;
    while (words >> word) {
      // A folder may list only folders whose lines are above its own, so there is no cycle.
      if (!edges.of.contains(word) && !kLibraries.contains(word)) {
        edges.violations.push_back("edges.txt: " + folder + " lists " + word +
                                   ", which is neither above it nor a library");
      }
      const auto below = edges.of.find(word);
      if (below != edges.of.end() && below->second.contains("torch") &&
          line.find("torch") == std::string::npos) {
        edges.violations.push_back("edges.txt: " + folder + " must be free of torch, but lists " +
                                   word + ", which is not");
      }
      if (!targets.insert(word).second) {
        edges.violations.push_back("edges.txt: " + folder + " lists " + word + " twice");
      }
    }
    edges.of[folder] = targets;
  }
  return edges;
}

struct Include {
  std::string path;
  bool quoted = false;
};

std::vector<Include> includes_of(const std::string& text) {
  static const std::regex comment(R"(/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)");
  static const std::regex directive(R"((?:^|\n)[ \t]*#[ \t]*include[ \t]*([^\n]*))");
  static const std::regex target(R"(^(?:"([^"]*)\"|<([^>]*)>).*)");
  const std::string code = std::regex_replace(text, comment, "");
  std::vector<Include> includes;
  for (std::sregex_iterator found(code.begin(), code.end(), directive), end; found != end;
       ++found) {
    const std::string rest = (*found)[1];
    std::smatch parts;
    if (!std::regex_match(rest, parts, target)) {
      includes.push_back({"(computed) " + rest, true});
    } else {
      includes.push_back({parts[1].matched ? parts[1] : parts[2], parts[1].matched});
    }
  }
  return includes;
}

// The library of a header in angle brackets: one of kLibraries; "" for C++, the system and fmt; "?"
// if this test does not know the header.
std::string library_of(const std::string& header) {
  static const std::vector<std::pair<std::string, std::string>> kBeginnings = {
      {"ATen/", "torch"},   {"c10/", "torch"},     {"torch/", "torch"},
      {"caffe2/", "torch"}, {"nlohmann/", "json"}, {"toml++/", "toml"},
      {"libpng", "png"},    {"webp/", "webp"},     {"protozero/", "protozero"},
      {"fmt/", ""},         {"sys/", ""},          {"linux/", ""},
      {"arpa/", ""},        {"netinet/", ""},      {"net/", ""}};
  static const std::map<std::string, std::string> kWhole = {
      {"jpeglib.h", "jpeg"},      {"jerror.h", "jpeg"},        {"turbojpeg.h", "jpeg"},
      {"png.h", "png"},           {"tiffio.h", "tiff"},        {"tiff.h", "tiff"},
      {"zlib.h", "zlib"},         {"zconf.h", "zlib"},         {"xxhash.h", "xxhash"},
      {"xxh3.h", "xxhash"},       {"libdeflate.h", "deflate"}, {"cuda_runtime_api.h", "cuda"},
      {"cuda_runtime.h", "cuda"}, {"cuda_bf16.h", "cuda"},     {"cublasLt.h", "cuda"}};
  static const std::set<std::string> kSystem = {
      "cpuid.h",  "dirent.h",    "dlfcn.h",   "errno.h",    "fcntl.h",  "float.h",   "fnmatch.h",
      "grp.h",    "immintrin.h", "ifaddrs.h", "inttypes.h", "limits.h", "locale.h",  "malloc.h",
      "math.h",   "memory.h",    "netdb.h",   "omp.h",      "poll.h",   "pthread.h", "pwd.h",
      "sched.h",  "setjmp.h",    "signal.h",  "spawn.h",    "stdarg.h", "stddef.h",  "stdint.h",
      "stdio.h",  "stdlib.h",    "string.h",  "strings.h",  "syslog.h", "termios.h", "time.h",
      "unistd.h", "wchar.h"};
  for (const auto& [beginning, library] : kBeginnings) {
    if (header.starts_with(beginning)) return library;
  }
  if (const auto found = kWhole.find(header); found != kWhole.end()) return found->second;
  const bool is_cpp = std::all_of(header.begin(), header.end(), [](char letter) {
    return std::islower(letter) || letter == '_';
  });
  return is_cpp || kSystem.contains(header) ? "" : "?";
}

// Folders beside fcm/ that are part of the program.
const std::set<std::string> kOtherFolders = {"reference", "bench"};

// The folder of a path: "ops" for "fcm/ops/gelu/op.h", "bench" for "bench/step.cpp".
std::string folder_of(const std::string& path) {
  const size_t begin = path.starts_with("fcm/") ? std::string("fcm/").size() : 0;
  const size_t end = path.find('/', begin);
  return end == std::string::npos ? "" : path.substr(begin, end - begin);
}

void check_include(const std::string& file, const Include& include, const Edges& edges,
                   const Files& files, Lines& violations) {
  const std::string folder = folder_of(file);
  const auto allowed = edges.of.find(folder);
  if (allowed == edges.of.end()) return;  // the caller reports the unlisted folder
  const auto refuse = [&](const std::string& why) {
    violations.push_back(file + " includes " + include.path + ": " + why);
  };
  if (!include.quoted) {
    const std::string library = library_of(include.path);
    if (library == "?") return refuse("of no library of this project; add new ones to this test");
    if (!library.empty() && !allowed->second.contains(library)) {
      refuse(folder + " does not list " + library);
    }
    return;
  }
  const bool from_root = include.path.starts_with("fcm/") ||
                         kOtherFolders.contains(include.path.substr(0, include.path.find('/')));
  if (!from_root || include.path.find("..") != std::string::npos) {
    return refuse("write quoted includes from the root, as \"fcm/...\"");
  }
  const std::string target = folder_of(include.path);
  if (!files.contains(include.path)) return refuse("there is no such file");
  if (target != folder && !allowed->second.contains(target)) {
    refuse(folder + " does not list " + target);
  }
}

// Whether a file is compiled for one instruction set. If such a file instantiates a template, the
// linker may use that copy for the whole program, which then crashes on CPUs without the
// instructions. So kernel files include neither LibTorch nor containers, directly or through other
// headers.
bool is_kernel(const std::string& file) {
  static const std::regex kernel(R"(.*(_(plain|avx2|avx512|vnni|amx)\.cpp|\.inc))");
  return std::regex_match(file, kernel);
}

const std::set<std::string> kNotInKernels = {
    "any",      "array", "deque",         "forward_list",  "fstream",  "functional", "future",
    "iostream", "list",  "map",           "memory",        "optional", "ostream",    "queue",
    "regex",    "set",   "span",          "sstream",       "stack",    "string",     "string_view",
    "thread",   "tuple", "unordered_map", "unordered_set", "variant",  "vector",     "filesystem"};

void check_kernel(const std::string& kernel, const Files& files, Lines& violations) {
  std::set<std::string> seen;
  std::vector<std::string> open = {kernel};
  while (!open.empty()) {
    const std::string file = open.back();
    open.pop_back();
    const auto found = files.find(file);
    if (found == files.end() || !seen.insert(file).second) continue;
    for (const Include& include : includes_of(found->second)) {
      if (include.quoted) {
        open.push_back(include.path);
      } else if (kNotInKernels.contains(include.path) || library_of(include.path) == "torch") {
        violations.push_back(kernel + " is a kernel, but includes " + include.path +
                             (file == kernel ? "" : " through " + file));
      }
    }
  }
}

Lines violations_in(const std::string& edges_text, const Files& files) {
  const Edges edges = parse_edges(edges_text);
  Lines violations = edges.violations;
  std::set<std::string> unknown;
  for (const auto& [file, text] : files) {
    const std::string folder = folder_of(file);
    if (!edges.of.contains(folder) && unknown.insert(folder).second) {
      violations.push_back("edges.txt: does not list the folder of " + file);
    }
    for (const Include& include : includes_of(text)) {
      check_include(file, include, edges, files, violations);
    }
    if (is_kernel(file)) check_kernel(file, files, violations);
  }
  return violations;
}

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

Files sources() {
  const fs::path root = FCM_SOURCE_DIR;
  const std::set<std::string> kinds = {".h", ".hpp", ".cpp", ".cc", ".cu", ".cuh", ".inc"};
  Files files;
  std::vector<std::string> folders(kOtherFolders.begin(), kOtherFolders.end());
  folders.push_back("fcm");
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!kinds.contains(entry.path().extension())) continue;
      files[entry.path().lexically_relative(root).string()] = text_of(entry.path());
    }
  }
  return files;
}

std::string joined(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(Layering, EveryIncludeIsListed) {
  const Files files = sources();
  ASSERT_GT(files.size(), 100U);
  EXPECT_EQ(joined(violations_in(text_of(fs::path(FCM_SOURCE_DIR) / "fcm/edges.txt"), files)), "");
}

// The tests below have synthetic trees: a good one is accepted, and each bad one is refused for one
// reason.

const char* const kEdges =
    "# words\n\nbase:\nimage:  base jpeg\nops: base torch\nmodels: base ops torch json\n";

Files good_files() {
  return {
      {"fcm/base/error.h", "#include <string>\n#include <fmt/format.h>\n#include <unistd.h>\n"},
      {"fcm/image/jpeg.cpp", "#include \"fcm/base/error.h\"\n#include <jpeglib.h>\n"},
      {"fcm/ops/gelu/op.h", "#include <ATen/ATen.h>\n#include \"fcm/base/error.h\"\n"},
      {"fcm/ops/gelu/kernel.h", "#include <cstdint>\n"},
      {"fcm/ops/gelu/cpu_avx2.cpp", "#include <immintrin.h>\n#include \"fcm/ops/gelu/kernel.h\"\n"},
      {"fcm/models/m.cpp", "#include \"fcm/ops/gelu/op.h\"\n#include <nlohmann/json.hpp>\n"}};
}

TEST(Layering, GoodTreesAreAccepted) { EXPECT_EQ(joined(violations_in(kEdges, good_files())), ""); }

TEST(Layering, CommentsAreNoIncludes) {
  Files files = good_files();
  files["fcm/base/x.h"] = "// #include <ATen/ATen.h>\n/*\n#include <ATen/ATen.h>\n**/ int x;\n";
  EXPECT_EQ(joined(violations_in(kEdges, files)), "");
}

struct BadFile {
  const char* file;
  const char* text;
  const char* reason;
};

class BadFiles : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadFiles, AreRefusedForTheirReason) {
  Files files = good_files();
  files[GetParam().file] = GetParam().text;
  const Lines violations = violations_in(kEdges, files);
  ASSERT_EQ(violations.size(), 1U) << joined(violations);
  EXPECT_NE(violations[0].find(GetParam().reason), std::string::npos) << violations[0];
}

INSTANTIATE_TEST_SUITE_P(
    Layering, BadFiles,
    ::testing::Values(
        BadFile{"fcm/base/x.h", "#include \"fcm/image/jpeg.cpp\"\n", "base does not list image"},
        BadFile{"fcm/base/x.h", "  #  include\t\"fcm/ops/gelu/op.h\" // why\n",
                "does not list ops"},
        BadFile{"fcm/image/x.h", "#include <ATen/ATen.h>", "image does not list torch"},
        BadFile{"fcm/image/x.h", "int y;\n#include <c10/util/Half.h>\n", "does not list torch"},
        BadFile{"fcm/image/x.h", "#include <torch/library.h>\n", "does not list torch"},
        BadFile{"fcm/image/x.h", "#include <png.h>\n", "does not list png"},
        BadFile{"fcm/base/x.h", "#include <jpeglib.h>\n", "does not list jpeg"},
        BadFile{"fcm/ops/x.cpp", "#include <nlohmann/json_fwd.hpp>\n", "does not list json"},
        BadFile{"fcm/ops/x.cpp", "#include <toml++/toml.h>\n", "does not list toml"},
        BadFile{"fcm/ops/x.cpp", "#include <xxhash.h>\n", "does not list xxhash"},
        BadFile{"fcm/ops/x.cpp", "#include <zlib.h>\n", "does not list zlib"},
        BadFile{"fcm/ops/x.cpp", "#include <opencv2/core.hpp>\n", "no library of this project"},
        BadFile{"fcm/ops/x.cpp", "#include <fcm/base/error.h>\n", "no library of this project"},
        BadFile{"fcm/ops/x.cpp", "#include \"apps/program.h\"\n", "quoted includes"},
        BadFile{"fcm/ops/x.cpp", "#include \"tests/support.h\"\n", "quoted includes"},
        BadFile{"fcm/ops/x.cpp", "#include \"bench/step.h\"\n", "no such file"},
        BadFile{"reference/x.cpp", "#include \"fcm/ops/gelu/op.h\"\n", "does not list the folder"},
        BadFile{"fcm/ops/x.cpp", "#include \"op.h\"\n", "quoted includes"},
        BadFile{"fcm/ops/x.cpp", "#include \"fcm/base/../image/jpeg.cpp\"\n", "quoted includes"},
        BadFile{"fcm/ops/x.cpp", "#include HEADER\n", "quoted includes"},
        BadFile{"fcm/ops/x.cpp", "#include \"fcm/base/absent.h\"\n", "no such file"},
        BadFile{"fcm/extra/x.h", "int x;\n", "does not list the folder"},
        BadFile{"fcm/x.h", "int x;\n", "does not list the folder"},
        BadFile{"fcm/ops/gelu/cpu_avx512.cpp", "#include <vector>\n", "is a kernel"},
        BadFile{"fcm/ops/gelu/cpu_plain.cpp", "#include <ATen/Parallel.h>\n", "is a kernel"},
        BadFile{"fcm/ops/gelu/kernel.inc", "#include <string>\n", "is a kernel"},
        BadFile{"fcm/ops/gelu/cpu_amx.cpp", "#include <vector>\n", "is a kernel"},
        BadFile{"fcm/image/resize_vnni.cpp", "#include <span>\n", "is a kernel"},
        BadFile{"fcm/ops/gelu/x_avx2.cpp", "#include \"fcm/base/error.h\"\n", " through "}));

struct BadEdges {
  const char* text;
  const char* reason;
};

class BadEdgesTest : public ::testing::TestWithParam<BadEdges> {};

TEST_P(BadEdgesTest, AreRefusedForTheirReason) {
  const Lines violations = violations_in(GetParam().text, {});
  ASSERT_EQ(violations.size(), 1U) << joined(violations);
  EXPECT_NE(violations[0].find(GetParam().reason), std::string::npos) << violations[0];
}

INSTANTIATE_TEST_SUITE_P(
    Layering, BadEdgesTest,
    ::testing::Values(BadEdges{"base: ops\nops: base torch\n", "base lists ops"},  // a cycle
                      BadEdges{"base: base\n", "base lists base"},
                      BadEdges{"base:\nops: base boost\n", "lists boost"},
                      BadEdges{"base:\nbase:\n", "twice: base"},
                      BadEdges{"base:\nops: base base\n", "lists base twice"},
                      BadEdges{"base:\nops: base torch\nviz: base ops\n", "free of torch"},
                      BadEdges{"base:\nops base\n", "not \"folder: edges\""}));

}  // namespace
}  // namespace fcm
