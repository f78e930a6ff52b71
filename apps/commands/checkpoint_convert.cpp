#include "apps/commands/commands.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {

Action checkpoint_convert(Flags& flags) {
  const auto request = std::make_shared<tasks::ConvertRequest>();
  flags.describe(
      "Write a checkpoint in another format",
      "Formats of --to; without it the ending of the file decides (.pth, .safetensors):\n"
      "  native        a folder of this program\n"
      "  pth           what the published programs' --resume accepts\n"
      "  safetensors   all weights, published names\n"
      "  hf            the same in a folder with config.json\n"
      "  encoder       a .pth of the encoder alone: what the published programs' --finetune "
      "accepts\n"
      "  timm          a ViT's encoder for timm.create_model(\"local-dir:OUT\")\n"
      "  transformers  a ViT's encoder for ViTModel.from_pretrained(OUT)\n"
      "  mmseg         a segmenter as a .pth of mmsegmentation\n"
      "  detectron2    a detector as a .pth of detectron2\n"
      "Example:\n  fastconvmae checkpoint convert runs/base checkpoint-49.pth");
  add_checkpoint(flags, request->checkpoint.path, "checkpoint,--checkpoint").required();
  flags
      .add("out,--out", request->out, "PATH",
           "A file; a folder for native, hf, timm and transformers")
      .required();
  flags.add_choice("--to", request->to,
                   {"native", "pth", "safetensors", "hf", "encoder", "timm", "transformers",
                    "mmseg", "detectron2"},
                   "The format, see below");
  add_set_of_checkpoint(flags, request->checkpoint.set);
  add_overwrite(flags, request->overwrite, "Replace what is at --out");
  add_reading_threads(flags, request->threads);
  return [request](const Output& output) {
    return output.print(tasks::convert_checkpoint(*request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
