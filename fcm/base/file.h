// Files that survive a crash, and reading whole files.
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

// The whole file, or all that a pipe yields. Throws Error(code) that names the path and the
// system's reason.
std::string read_file(const std::filesystem::path& path, ExitCode code);

// Whether there is anything at the path, or behind it where it is a link. Throws Error(code) where
// that cannot be told.
bool is_there(const std::filesystem::path& path, ExitCode code);
// The same for a folder, and for an ordinary file.
bool is_folder(const std::filesystem::path& path, ExitCode code);
bool is_ordinary_file(const std::filesystem::path& path, ExitCode code);

// Throws Error(kUsage) where `out`, a file that is to be written, has none of these endings: the
// name would say something else than the file is.
void refuse_other_ending(const std::filesystem::path& out,
                         const std::vector<std::string_view>& endings);

// Throws Error(code) where `path` is a link. What is written is put in the place of a file, never
// of a link, which somebody made, and never through one.
void refuse_link(const std::filesystem::path& path, ExitCode code);

// Replaces the file in one step: a temporary beside it, fsync, rename, fsync of the folder. After a
// crash at any moment the path holds either the old or the new content, whole. A failure leaves the
// old content (or, where only the last sync failed, the new) and no temporary, and throws
// Error(code); so does a path that holds no ordinary file. `who` names the failpoints it passes.
void write_file_durably(const std::filesystem::path& path, std::string_view content, ExitCode code,
                        const char* who = "file");

// Renames `temporary` to `path`, and removes it where that fails. Throws Error(code); so does a
// path that holds no ordinary file.
void move_into_place(const std::filesystem::path& temporary, const std::filesystem::path& path,
                     ExitCode code, const char* who = "file");

// Makes renames and new files inside the folder durable.
void sync_folder(const std::filesystem::path& folder, ExitCode code, const char* who = "file");

// Creates the folder and those above it that are missing, durably.
void make_folders(const std::filesystem::path& folder, ExitCode code, const char* who = "file");

// Owns a descriptor. Errors of close() carry no news: what matters was synced before.
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

// A file written from its beginning; what was at the path is cut to nothing first, but never the
// file that a link there leads to. Unless finish() was reached, the destructor removes it. Throws
// Error(code), which names path and reason.
class FileWriter {
 public:
  FileWriter(std::filesystem::path path, ExitCode code, const char* who);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  // Puts other bytes in the place of as many that were written first: what is known at the end
  // alone, such as how much followed. Nothing can be written after it.
  void rewrite_beginning(std::string_view text);
  void finish();  // fsync and close; the folder is not synced

 private:
  std::filesystem::path path_;
  ExitCode code_;
  const char* who_;
  Descriptor file_;
  bool removable_ = false;  // not finished, and no device or pipe
};

}  // namespace fcm
