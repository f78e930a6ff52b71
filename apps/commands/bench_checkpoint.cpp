#include "apps/commands/commands.h"
#include "bench/bench.h"
#include "fcm/base/error.h"

namespace fcm::apps::commands {

Action bench_checkpoint(Flags& flags) {
  struct Arguments {
    int64_t bytes = 1 << 26;
    std::filesystem::path out;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Speed of reading and writing training state, compared with cat and cp plus fsync",
                 "Example:\n  fastconvmae bench checkpoint --bytes 1400000000");
  flags.add("--bytes", arguments->bytes, {1, kMany}, "Size of the files");
  flags.add("--out", arguments->out, "DIR",
            "Folder for these files; default: the system's folder for temporary files");
  return [arguments](const Output& output) {
    std::filesystem::path folder = arguments->out;
    if (std::error_code error; folder.empty()) {
      folder = std::filesystem::temp_directory_path(error);
      if (error) {
        fail(ExitCode::kUsage, "no folder for temporary files ({}): set TMPDIR, or give --out DIR",
             error.message());
      }
    }
    return output.print(bench::bench_checkpoint(arguments->bytes, folder, output.reporter));
  };
}

}  // namespace fcm::apps::commands
