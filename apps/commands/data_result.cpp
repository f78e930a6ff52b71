#include "apps/commands/data_result.h"

#include "fcm/base/error.h"

namespace fcm::apps::commands {

int print_data_result(nlohmann::json result, const Output& output) {
  for (const char* split : {"train", "val"}) {
    // As text they were said on stderr already.
    if (!output.json && result.contains(split)) result[split].erase("bad_images");
  }
  output.print(result);
  return static_cast<int>(result["bad"] == 0 ? ExitCode::kDone : ExitCode::kData);
}

}  // namespace fcm::apps::commands
