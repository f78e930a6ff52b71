#include "apps/commands/commands.h"
#include "apps/commands/data_result.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {

Action data_pack(Flags& flags) {
  struct Arguments {
    tasks::PackRequest pack;
    std::string format = "jpeg";
    int64_t quality = 95;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe(
      "Shrink all images of train and val and write them to one file for --data",
      "Unreadable images are named and left out; the exit status is then 3, but the file is written.\n"
      "Example:\n  fastconvmae data pack --data /path/to/imagenet --out imagenet.pack");
  tasks::PackRequest& pack = arguments->pack;
  add_data(flags, pack.data, "data,--data").required();
  flags.add("--out", pack.out, "FILE", "The file").required();
  flags.add("--side", pack.form.side, {1, 65500},
            "Pixels of the shorter side; images are never enlarged");
  flags.add_choice("--format", arguments->format, {"jpeg", "raw"},
                   "raw: not compressed, so nothing to decode, but six times the disk space");
  const Flag quality = flags.add("--quality", arguments->quality, {1, 100}, "Quality of the JPEGs");
  add_overwrite(flags, pack.overwrite, "Replace the file");
  add_threads(flags, pack.machine);
  return [arguments, quality](const Output& output) {
    tasks::PackRequest& request = arguments->pack;
    const bool raw = arguments->format == "raw";
    if (raw) refuse({quality}, "is for JPEGs, and --format raw has none");
    request.form.kind = raw ? loader::PackedKind::kRaw : loader::PackedKind::kJpeg;
    request.form.quality = static_cast<int>(arguments->quality);
    return print_data_result(tasks::pack_data(request, output.reporter), output);
  };
}

}  // namespace fcm::apps::commands
