// A build tool that writes completions and manual pages, laid out as in a system's share/. The
// target `shell_files` runs it.
#include <cstdio>
#include <filesystem>

#include "apps/completion.h"
#include "apps/manual.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace {

void write(const std::filesystem::path& file, const std::string& text) {
  fcm::make_folders(file.parent_path(), fcm::ExitCode::kUsage);
  fcm::write_file_durably(file, text, fcm::ExitCode::kUsage);
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 2) fcm::fail(fcm::ExitCode::kUsage, "usage: shell_files SHARE");
  const std::filesystem::path share = arguments[1];
  write(share / "bash-completion/completions/fastconvmae", fcm::apps::bash_completion());
  write(share / "zsh/vendor-completions/_fastconvmae", fcm::apps::zsh_completion());
  write(share / "fish/vendor_completions.d/fastconvmae.fish", fcm::apps::fish_completion());
  for (const auto& page : fcm::apps::manual_pages())
    write(share / "man/man1" / page.file, page.text);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
