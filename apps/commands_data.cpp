// data verify, data pack: exit status 3 if a picture is bad.
#include "apps/commands.h"
#include "apps/results.h"
#include "fcm/base/error.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps {
namespace {

using nlohmann::json;

json pack(const Options& options, Reporter& reporter) {
  tasks::PackRequest request;
  request.data = options.data;
  request.out = options.out;
  request.form.kind =
      options.format == "raw" ? loader::PackedKind::kRaw : loader::PackedKind::kJpeg;
  request.form.side = options.side;
  request.form.quality = static_cast<int>(options.quality);
  request.overwrite = options.overwrite;
  request.machine = machine_of(options);
  return tasks::pack_data(request, reporter);
}

}  // namespace

int run_data_command(const Options& options, Reporter& reporter) {
  const bool packs = options.command == "data pack";
  require(packs || options.command == "data verify", "no function for \"{}\"", options.command);
  json result = packs ? pack(options, reporter)
                      : tasks::verify_data(options.data, machine_of(options), reporter);
  for (const char* split : {"train", "val"}) {
    // As text they were said on stderr already.
    if (!options.json && result.contains(split)) result[split].erase("bad_images");
  }
  print_result(result, options.json);
  return static_cast<int>(result["bad"] == 0 ? ExitCode::kDone : ExitCode::kData);
}

}  // namespace fcm::apps
