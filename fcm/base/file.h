// Crash-safe (durable) file writes, and reading whole files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/base/error.h"

namespace fcm {

// The contents of a file or pipe. Throws Error(code) that names the path and the system's reason.
std::string read_file(const std::filesystem::path& path, ExitCode code);

// Whether the path exists (links are followed). Throws Error(code) if that cannot be determined.
bool is_there(const std::filesystem::path& path, ExitCode code);
// Whether the path is a folder or a regular file (links are followed); errors as above.
bool is_folder(const std::filesystem::path& path, ExitCode code);
bool is_ordinary_file(const std::filesystem::path& path, ExitCode code);

// Throws Error(kUsage) if the output path `out` has none of these endings, so that a file's name
// always matches its format.
void refuse_other_ending(const std::filesystem::path& out,
                         const std::vector<std::string_view>& endings);

// Throws Error(code) if `path` is a symbolic link. The program replaces files, but it never
// replaces a link, and writes through one only to a device (FileWriter).
void refuse_link(const std::filesystem::path& path, ExitCode code);

// Replaces the file atomically: temporary file beside it, fsync, rename, fsync of the folder. After
// a crash at any moment the path holds either the complete old or the complete new content. A
// failure throws Error(code) and leaves the old content (the new content if only the last fsync
// failed) and no temporary file. Error(code) also for a path that exists and is not a regular file.
// `who` names the failpoints.
void write_file_durably(const std::filesystem::path& path, std::string_view content, ExitCode code,
                        const char* who = "file");

// Renames `temporary` to `path`. If this fails, or if `path` exists and is not a regular file, it
// removes `temporary` and throws Error(code).
void move_into_place(const std::filesystem::path& temporary, const std::filesystem::path& path,
                     ExitCode code, const char* who = "file");

// fsync of a folder, which makes renames and new files inside it durable.
void sync_folder(const std::filesystem::path& folder, ExitCode code, const char* who = "file");

// Creates the folder and its missing parents, durably.
void make_folders(const std::filesystem::path& folder, ExitCode code, const char* who = "file");

// Owns a file descriptor. Errors of close() are ignored, because all important data is synced
// before.
class Descriptor {
 public:
  explicit Descriptor(int file = -1) : file_(file) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : file_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return file_; }
  bool is_open() const { return file_ >= 0; }
  void close();
  int release();

 private:
  int file_;
};

// Writes a file from its beginning and truncates an existing one. Throws Error(code), which names
// path and reason, also if the path is a link to a regular file or to nothing. The destructor
// removes a regular file unless finish() succeeded.
class FileWriter {
 public:
  FileWriter(std::filesystem::path path, ExitCode code, const char* who);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  // Overwrites the first text.size() bytes, for headers whose content is known only at the end.
  // Must be the last write.
  void rewrite_beginning(std::string_view text);
  void finish();  // fsync and close; the folder is not synced

 private:
  std::filesystem::path path_;
  ExitCode code_;
  const char* who_;
  Descriptor file_;
  bool removable_ = false;  // not finished, and not a device or pipe
};

}  // namespace fcm
