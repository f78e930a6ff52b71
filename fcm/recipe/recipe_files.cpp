#include "fcm/recipe/recipe_files.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "fcm/base/content.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/config/nearest.h"
#include "fcm/recipe/check.h"

namespace fcm::recipe {
namespace fs = std::filesystem;
namespace {

// Recipes have a few kilobytes; a file above this size was given by mistake.
constexpr uintmax_t kLargest = 1 << 20;  // bytes

[[noreturn]] void refuse_folder_as_recipe(const fs::path& folder) {
  const fs::path inner = folder / "recipe.toml";
  std::error_code ignored;
  fail(ExitCode::kUsage, "--recipe {} is a folder, expected a recipe file{}", folder.string(),
       fs::exists(inner, ignored) ? fmt::format("; it holds one: {}", inner.string()) : "");
}

// Refuses a binary file or one of another known kind, and names the kind; the parser would only
// name a character in it.
void refuse_other_content(const fs::path& file) {
  std::string begin(kContentBytes, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  if (!stream.is_open()) return;  // read_recipe_file reports it
  begin.resize(static_cast<size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  std::string kind = content_kind(begin);
  const bool text = kind.starts_with("text that begins") || kind.starts_with("TOML") ||
                    kind.starts_with("a recipe");
  const bool binary = begin.find('\0') != std::string::npos;
  if (text || (kind.empty() && !binary)) return;
  if (kind.empty()) kind = "a binary file";
  fail(ExitCode::kUsage,
       "--recipe {}: this is {}, expected a recipe: a .toml file or the name of a shipped one",
       file.string(), kind);
}

}  // namespace

std::vector<fs::path> shipped_recipes(const std::vector<fs::path>& folders) {
  std::vector<fs::path> files;
  std::set<std::string> names;
  for (const fs::path& folder : folders) {
    std::vector<fs::path> here;
    std::error_code error;  // a folder that cannot be listed counts as empty
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->path().extension() == ".toml") here.push_back(entry->path());
    }
    for (const fs::path& file : here) {
      if (names.insert(file.stem().string()).second) files.push_back(file);
    }
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.stem() < b.stem(); });
  return files;
}

fs::path find_recipe(const std::string& name_or_file, const std::vector<fs::path>& folders) {
  std::error_code ignored;
  if (fs::is_regular_file(name_or_file, ignored)) return name_or_file;
  std::vector<std::string> names;
  for (const fs::path& file : shipped_recipes(folders)) {
    names.push_back(file.stem().string());
    if (names.back() == name_or_file) return file;
  }
  if (name_or_file.empty()) fail(ExitCode::kUsage, "--recipe is empty: name a recipe or a file");
  if (fs::is_directory(name_or_file, ignored)) refuse_folder_as_recipe(name_or_file);
  const bool is_path = name_or_file.find('/') != std::string::npos;
  if (is_path || name_or_file.ends_with(".toml")) {
    fail(ExitCode::kUsage, "--recipe {}: there is no such file", name_or_file);
  }
  const auto meant = config::nearest(name_or_file, names);
  if (meant) {
    fail(ExitCode::kUsage, "--recipe {}: there is no such recipe; did you mean {}?", name_or_file,
         *meant);
  }
  fail(ExitCode::kUsage, "--recipe {}: there is no such file or recipe; the recipes are: {}",
       name_or_file, fmt::join(names, ", "));
}

std::string read_recipe_file(const fs::path& file) {
  refuse_other_content(file);
  std::error_code ignored;
  if (const uintmax_t size = fs::file_size(file, ignored); size > kLargest) {
    fail(ExitCode::kUsage, "--recipe {}: the file has {} bytes, too many for a recipe",
         file.string(), size);
  }
  return read_file(file, ExitCode::kUsage);
}

namespace {

struct Found {
  std::string file, text;

  template <class Task>
  bool is_for() const {
    return recipe_for_task_of(text, file).is<Task>();
  }
};

Found found(const std::string& name_or_file, const std::vector<fs::path>& folders) {
  const fs::path file = find_recipe(name_or_file, folders);
  return {file.string(), read_recipe_file(file)};
}

Recipe checked(const Found& found, const std::vector<std::string>& overrides) {
  const Recipe recipe = read_recipe(found.text, found.file, overrides);
  try {
    check(recipe);
  } catch (const Error& error) {
    fail(error.code(), "{}: {}", found.file, error.what());
  }
  return recipe;
}

}  // namespace

Recipe load_recipe(const std::string& name_or_file, const std::vector<fs::path>& folders,
                   const std::vector<std::string>& overrides) {
  return checked(found(name_or_file, folders), overrides);
}

Recipe load_pretraining_recipe(const std::string& name_or_file,
                               const std::vector<fs::path>& folders,
                               const std::vector<std::string>& overrides) {
  const Found file = found(name_or_file, folders);
  if (!file.is_for<Pretrain>()) {
    fail(ExitCode::kUsage,
         "{} is not a pretraining recipe: it has a section {}; use it with fastconvmae finetune or "
         "linprobe, or choose another recipe here",
         file.file, section_of_task(recipe_for_task_of(file.text, file.file)));
  }
  return checked(file, overrides);
}

Recipe load_supervised_recipe(const std::string& name_or_file, const std::vector<fs::path>& folders,
                              const std::vector<std::string>& overrides) {
  const Found file = found(name_or_file, folders);
  if (file.is_for<Pretrain>()) {
    fail(ExitCode::kUsage,
         "{} is a pretraining recipe: it has no section [classifier], [segmenter] or [detector]; "
         "use one whose name begins with finetune, upernet or maskrcnn, see fastconvmae recipe "
         "list",
         file.file);
  }
  return checked(file, overrides);
}

}  // namespace fcm::recipe
