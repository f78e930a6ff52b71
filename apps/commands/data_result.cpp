#include "apps/commands/data_result.h"

#include "fcm/base/error.h"

namespace fcm::apps::commands {

int print_data_result(nlohmann::json result, const Output& output) {
  for (const char* split : {"train", "val"}) {
    if (output.json || !result.contains(split)) continue;
    // The text form leaves out these entries, because stderr has already reported them. A single
    // ending and counts of 0, which stderr does not report, are left out too.
    for (const char* said : {"bad_images", "endings", "first_bad_label", "left_out", "notes",
                             "oriented", "repeated", "warnings"}) {
      result[split].erase(said);
    }
  }
  output.print(result);
  const bool is_sound = result["bad"] == 0 && result["bad_labels"] == 0;
  return static_cast<int>(is_sound ? ExitCode::kDone : ExitCode::kData);
}

}  // namespace fcm::apps::commands
