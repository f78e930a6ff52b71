#include "fcm/base/file.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "fcm/base/new_folders.h"
#include "fcm/base/system_call.h"

namespace fcm {
namespace {

[[noreturn]] void fail_on(const char* action, const std::filesystem::path& path, ExitCode code) {
  fail(code, "cannot {} {}: {}", action, path.string(), std::strerror(errno));
}

std::filesystem::file_status status_of(const std::filesystem::path& path, ExitCode code) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::status_known(status)) return status;
  fail(code, "cannot access {}: {}", path.string(), error.message());
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    file_ = other.release();
  }
  return *this;
}

void Descriptor::close() {
  if (const int file = release(); file >= 0) ::close(file);  // no retry: it is closed even on error
}

int Descriptor::release() { return std::exchange(file_, -1); }

bool is_there(const std::filesystem::path& path, ExitCode code) {
  return std::filesystem::exists(status_of(path, code));
}

bool is_folder(const std::filesystem::path& path, ExitCode code) {
  return std::filesystem::is_directory(status_of(path, code));
}

bool is_ordinary_file(const std::filesystem::path& path, ExitCode code) {
  return std::filesystem::is_regular_file(status_of(path, code));
}

void refuse_other_ending(const std::filesystem::path& out,
                         const std::vector<std::string_view>& endings) {
  if (std::ranges::find(endings, out.extension().string()) != endings.end()) return;
  fail(ExitCode::kUsage, "{} does not end in {}, as the output format requires", out.string(),
       fmt::join(endings, " or "));
}

std::string read_file(const std::filesystem::path& path, ExitCode code) {
  const Descriptor file(system_call::open("read", path, O_RDONLY));
  struct stat facts {};
  if (!file.is_open() || ::fstat(file.get(), &facts) != 0) fail_on("open", path, code);
  if (S_ISDIR(facts.st_mode)) fail(code, "cannot read {}: it is a folder", path.string());
  // The size is only a first guess: pipes and /proc report 0, and a file may grow meanwhile.
  constexpr size_t kStep = 64 << 10;
  std::string content(static_cast<size_t>(facts.st_size) + 1, '\0');
  size_t filled = 0;
  while (true) {
    if (filled == content.size()) content.resize(content.size() + std::max(kStep, filled / 2));
    const ssize_t got = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_on("read", path, code);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  content.resize(filled);
  return content;
}

void refuse_link(const std::filesystem::path& path, ExitCode code) {
  std::error_code ignored;
  const std::filesystem::path target = std::filesystem::read_symlink(path, ignored);
  if (ignored) return;
  fail(code, "{} is a link to {}; links are not followed or replaced; remove it", path.string(),
       target.string());
}

void write_file_durably(const std::filesystem::path& path, std::string_view content, ExitCode code,
                        const char* who) {
  refuse_link(path, code);
  const std::filesystem::path temporary = path.string() + ".tmp";
  FileWriter file(temporary, code, who);
  file.write(content);
  file.finish();
  move_into_place(temporary, path, code, who);
  sync_folder(folder_of(path), code, who);
}

void move_into_place(const std::filesystem::path& temporary, const std::filesystem::path& path,
                     ExitCode code, const char* who) {
  struct stat facts {};
  const bool taken = ::lstat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode);
  if (!taken && system_call::rename(who, temporary, path) == 0) return;
  const int reason = errno;
  system_call::unlink(who, temporary);
  refuse_link(path, code);
  if (taken) fail(code, "cannot replace {}: it is not an ordinary file", path.string());
  errno = reason;
  fail_on("rename into place", path, code);
}

void sync_folder(const std::filesystem::path& folder, ExitCode code, const char* who) {
  const Descriptor handle(system_call::open(who, folder, O_RDONLY | O_DIRECTORY));
  if (!handle.is_open() || system_call::fsync(who, handle.get(), folder) != 0) {
    fail_on("sync folder", folder, code);
  }
}

void make_folders(const std::filesystem::path& folder, ExitCode code, const char* who) {
  NewFolders(folder, code, who).keep();
}

// Delegates, so that the destructor also runs if this constructor fails.
NewFolders::NewFolders(const std::filesystem::path& folder, ExitCode code, const char* who)
    : NewFolders(who) {
  std::vector<std::filesystem::path> missing;
  std::filesystem::path level = folder.has_filename() ? folder : folder.parent_path();
  for (std::error_code ignored; !std::filesystem::exists(level, ignored);) {
    missing.push_back(level);
    level = folder_of(level);
  }
  while (!missing.empty()) {
    level = std::move(missing.back());
    missing.pop_back();
    if (system_call::mkdir(who, level) == 0) {
      created_.push_back(level);
    } else if (errno != EEXIST) {
      fail_on("create folder", level, code);
    }
    sync_folder(folder_of(level), code, who);
  }
  if (!is_folder(folder, code)) {
    fail(code, "cannot create folder {}: there is a file of that name", folder.string());
  }
}

NewFolders::~NewFolders() {
  while (!created_.empty() && system_call::rmdir(who_, created_.back()) == 0) created_.pop_back();
}

namespace {

// Opening truncates. Opening a link would therefore destroy its target or, if it dangles, create
// the target: in both cases a file that the user never named.
const std::filesystem::path& not_through_a_link(const std::filesystem::path& path, ExitCode code) {
  struct stat own {
  }, target{};
  const bool link = ::lstat(path.c_str(), &own) == 0 && S_ISLNK(own.st_mode);
  const bool device = ::stat(path.c_str(), &target) == 0 && !S_ISREG(target.st_mode);
  if (link && !device) {
    fail(code, "cannot create {}: it is a link, and links are not written through; remove it",
         path.string());
  }
  return path;
}

}  // namespace

FileWriter::FileWriter(std::filesystem::path path, ExitCode code, const char* who)
    : path_(std::move(path)),
      code_(code),
      who_(who),
      file_(system_call::open(who, not_through_a_link(path_, code), O_WRONLY | O_CREAT | O_TRUNC)) {
  if (!file_.is_open()) fail_on("create", path_, code_);
  struct stat facts {};
  removable_ = ::fstat(file_.get(), &facts) == 0 && S_ISREG(facts.st_mode);
}

FileWriter::~FileWriter() {
  if (!removable_) return;
  file_.close();
  system_call::unlink(who_, path_);
}

void FileWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = system_call::write(who_, file_.get(), bytes, path_);
    if (put < 0) fail_on("write", path_, code_);
    if (put == 0) {
      fail(code_, "cannot write {}: the system accepts no more bytes", path_.string());
    }
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
}

void FileWriter::rewrite_beginning(std::string_view text) {
  if (::lseek(file_.get(), 0, SEEK_SET) != 0) fail_on("seek to the beginning of", path_, code_);
  write(text);
}

void FileWriter::finish() {
  if (system_call::fsync(who_, file_.get(), path_) != 0) fail_on("sync", path_, code_);
  file_.close();
  removable_ = false;
}

}  // namespace fcm
