#include "apps/commands/commands.h"
#include "apps/shared_flags.h"
#include "bench/bench.h"
#include "fcm/base/error.h"

namespace fcm::apps::commands {

Action eval(Flags& flags) {
  struct Arguments {
    tasks::EvalRequest eval;
    bool latency = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe(
      "Accuracy of a classifier, mIoU of a segmenter or AP of a detector, overall and by class",
      "Example:\n  fastconvmae eval --data synthetic --checkpoint runs/tuned --set "
      "classifier.eval_crop=0.875");
  tasks::EvalRequest& eval = arguments->eval;
  const Flag data = add_data(flags, eval.data);
  add_checkpoint(flags, eval.checkpoint.path).required();
  add_set_of_checkpoint(flags, eval.checkpoint.set);
  flags.add("--batch", eval.batch, {1, 1 << 20},
            "Images per forward pass; does not change the result");
  const Flag out = flags.add("--out", eval.out, "DIR",
                             "Folder for result.json, a sheet, and a detector's detections.json");
  flags
      .add("--latency", arguments->latency,
           "Measure images per second and memory instead: fp32 and bf16, batch 1 and --batch")
      .excludes(data)
      .excludes(out);
  add_machine(flags, eval.machine);
  return [arguments](const Output& output) {
    tasks::EvalRequest& request = arguments->eval;
    request.machine.group = output.group;
    if (arguments->latency) return output.print(bench::latency(request, output.reporter));
    if (request.data.empty()) {
      fail(ExitCode::kUsage,
           "eval needs labelled images: --data DATA; or --latency to measure speed");
    }
    return output.print(tasks::eval(request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
