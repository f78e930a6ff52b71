#include "fcm/tasks/output_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/packed_layout.h"
#include "fcm/viz/report.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

using namespace std::string_view_literals;

constexpr size_t kHead = 512;
// The first two fields of an ONNX model, version and producer, as formats/onnx_file writes them.
constexpr std::string_view kOurOnnx =
    "\x08\x08\x12\x0b"
    "fastconvmae"sv;

std::string first_bytes(const fs::path& path, size_t count, uint64_t from = 0) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(from));
  std::string bytes(count, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return bytes;
}

// The header of a .safetensors file; null if it is not one.
nlohmann::json safetensors_header(const fs::path& path) {
  constexpr uint64_t kMost = 100'000'000;
  uint64_t size = 0;
  const std::string length = first_bytes(path, sizeof size);
  if (length.size() < sizeof size) return {};
  std::memcpy(&size, length.data(), sizeof size);
  if (size > kMost) return {};
  const nlohmann::json header = nlohmann::json::parse(first_bytes(path, size, sizeof size), nullptr,
                                                      /*allow_exceptions=*/false);
  return header.is_object() ? header : nlohmann::json();
}

bool holds_rows(const nlohmann::json& header) {
  return header.contains("features") && header.contains("labels") &&
         header.size() == (header.contains("__metadata__") ? 3 : 2);
}

bool is_pth(const std::string& head) {
  // The pickled magic number at the start of the older container.
  constexpr std::string_view kOlder = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv;
  const bool zip = head.starts_with("PK\x03\x04"sv);
  return head.starts_with(kOlder) || (zip && head.find("data.pkl") != head.npos);
}

bool is_of_kind(const fs::path& path, FileKind kind) {
  const std::string head = first_bytes(path, kHead);
  if (head.empty()) return true;
  switch (kind) {
    case FileKind::kArray:
      return head.starts_with("\x93NUMPY"sv);
    case FileKind::kFeatures:
      return holds_rows(safetensors_header(path));
    case FileKind::kWeights: {
      const nlohmann::json header = safetensors_header(path);
      return !header.is_null() && !holds_rows(header);
    }
    case FileKind::kPth:
      return is_pth(head);
    case FileKind::kImagesOfRows:
      return head.starts_with("label\tclass\tpicture\n"sv);
    case FileKind::kPng:
      return head.starts_with("\x89PNG\r\n\x1a\n"sv);
    case FileKind::kPacked:
      return head.starts_with(loader::kPackedMagic);
    case FileKind::kOnnx:
      return head.starts_with(kOurOnnx);
    case FileKind::kPage:
      return head.find(viz::kGenerator) != head.npos;
  }
  return false;
}

const char* name_of(FileKind kind) {
  switch (kind) {
    case FileKind::kArray:
      return ".npy file";
    case FileKind::kFeatures:
      return ".safetensors file of features";
    case FileKind::kWeights:
      return ".safetensors file of weights";
    case FileKind::kPth:
      return "PyTorch file";
    case FileKind::kImagesOfRows:
      return "list of images that features wrote";
    case FileKind::kPng:
      return "PNG";
    case FileKind::kPacked:
      return "packed file";
    case FileKind::kOnnx:
      return "model that this program exported to ONNX";
    case FileKind::kPage:
      return "page of fastconvmae report";
  }
  return "";
}

// Throws Error(kUsage) if something at `path` is not a file of this kind. Does nothing if nothing
// is there.
void refuse_what_is_no_such_file(const fs::path& path, FileKind kind) {
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::not_found) return;
  if (type == fs::file_type::none) {
    fail(ExitCode::kUsage, "cannot access {}: {}", path.string(), error.message());
  }
  refuse_link(path, ExitCode::kUsage);
  if (type != fs::file_type::regular) {
    fail(ExitCode::kUsage, "{} is {} and cannot be replaced; choose another name", path.string(),
         type == fs::file_type::directory ? "a folder" : "not a regular file");
  }
  if (!is_of_kind(path, kind)) {
    fail(ExitCode::kUsage, "{} exists and is not a {}, so it is not replaced; choose another name",
         path.string(), name_of(kind));
  }
}

// `path` without a slash at its end; "." if it is empty.
fs::path without_slash(const fs::path& path) {
  const fs::path name = path.has_filename() ? path : path.parent_path();
  return name.empty() ? fs::path(".") : name;
}

void refuse_unwritable_folder(const fs::path& folder, const fs::path& out) {
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return;
  fail(ExitCode::kUsage, "cannot write {}: {} is not writable ({}); choose another place",
       out.string(), folder.string(), std::strerror(errno));
}

void refuse_missing_folder(const fs::path& out) {
  const fs::path folder = without_slash(out.parent_path());
  if (!is_there(folder, ExitCode::kUsage)) {
    fail(ExitCode::kUsage,
         "cannot write {}: there is no folder {}; create it, or choose another place", out.string(),
         folder.string());
  }
  if (!is_folder(folder, ExitCode::kUsage)) {
    fail(ExitCode::kUsage, "cannot write {}: {} is a file, not a folder; choose another place",
         out.string(), folder.string());
  }
  refuse_unwritable_folder(folder, out);
}

// Whether the file belongs to a checkpoint folder.
bool is_part_of_a_checkpoint(const fs::path& path) {
  constexpr std::array kFiles = {"model.safetensors", "optimizer.safetensors"};
  const fs::path folder = path.parent_path();
  std::error_code ignored;
  return std::find(kFiles.begin(), kFiles.end(), path.filename()) != kFiles.end() &&
         (fs::exists(folder / "manifest.json", ignored) ||
          fs::exists(folder / "config.json", ignored));
}

}  // namespace

bool is_page_of_ours(const fs::path& page) {
  return first_bytes(page, kHead).find(viz::kGenerator) != std::string::npos;
}

bool is_written_here(const fs::path& safetensors) {
  const nlohmann::json header = safetensors_header(safetensors);
  if (!header.is_object() || !header.contains("__metadata__")) return false;
  const nlohmann::json& metadata = header.at("__metadata__");
  const auto text_of = [&](const char* key) {
    const auto found = metadata.find(key);
    return found != metadata.end() && found->is_string() ? found->get<std::string>() : "";
  };
  if (!metadata.is_object()) return false;
  // Earlier versions wrote a recipe but no producer; every recipe of ours has these two sections.
  const std::string recipe = text_of("recipe");
  return text_of("producer") == "fastconvmae" ||
         (recipe.find("[optim]") != recipe.npos && recipe.find("[run]") != recipe.npos);
}

void refuse_to_replace(const fs::path& out, FileKind kind, bool overwrite,
                       const std::vector<fs::path>& reads) {
  std::error_code error;
  for (const fs::path& read : reads) {
    if (fs::equivalent(read, out, error)) {
      fail(ExitCode::kUsage, "{} is an input and is not replaced; choose another name",
           out.string());
    }
  }
  refuse_missing_folder(out);
  refuse_what_is_no_such_file(out, kind);
  if (fs::exists(out, error)) {
    if (is_part_of_a_checkpoint(out)) {
      fail(ExitCode::kUsage, "{} is part of the checkpoint {} and is not replaced", out.string(),
           out.parent_path().string());
    }
    if (!overwrite) {
      fail(ExitCode::kUsage, "{} exists; choose another name, or pass --overwrite to replace it",
           out.string());
    }
  }
  refuse_link_or_temporary(out);
}

void refuse_impossible_folder(const fs::path& out) {
  fs::path level = without_slash(out);
  std::error_code error;
  if (fs::is_symlink(level, error) && !fs::exists(level, error)) {
    fail(ExitCode::kUsage, "{} is a link to {}, where there is nothing; remove it", out.string(),
         fs::read_symlink(level, error).string());
  }
  while (!is_there(level, ExitCode::kUsage)) level = without_slash(level.parent_path());
  if (!is_folder(level, ExitCode::kUsage)) {
    if (level == without_slash(out)) {
      fail(ExitCode::kUsage, "{} is a file, expected a folder; choose another name", out.string());
    }
    fail(ExitCode::kUsage, "cannot create {}: {} is a file, not a folder; choose another place",
         out.string(), level.string());
  }
  refuse_unwritable_folder(level, out);
}

void refuse_link_or_temporary(const fs::path& file) {
  refuse_link(file, ExitCode::kUsage);
  const fs::path temporary = file.string() + ".tmp";
  std::error_code ignored;
  if (fs::symlink_status(temporary, ignored).type() == fs::file_type::not_found) return;
  fail(
      ExitCode::kUsage,
      "{} exists, and {} is written under that name until it is complete; move it away, or remove it "
      "if an interrupted command left it",
      temporary.string(), file.string());
}

}  // namespace fcm::tasks
