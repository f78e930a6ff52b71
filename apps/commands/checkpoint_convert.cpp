#include "apps/commands/commands.h"
#include "apps/shared_flags.h"
#include "apps/version.h"

namespace fcm::apps::commands {

Action checkpoint_convert(Flags& flags) {
  const auto request = std::make_shared<tasks::ConvertRequest>();
  flags.describe(
      "Write a checkpoint in another format",
      "Formats of --to; the default follows the file's ending (.pth, .safetensors, .onnx):\n"
      "  native        a checkpoint folder of this program\n"
      "  pth           what the upstream programs' --resume accepts\n"
      "  safetensors   all weights, upstream names\n"
      "  hf            the same in a folder with config.json\n"
      "  encoder       a .pth of only the encoder: what the upstream programs' --finetune "
      "accepts\n"
      "  timm          a ViT's encoder for timm.create_model(\"local-dir:OUT\")\n"
      "  transformers  a ViT's encoder for ViTModel.from_pretrained(OUT)\n"
      "  mmseg         a segmenter as a .pth of mmsegmentation\n"
      "  detectron2    a detector as a .pth of detectron2\n"
      "  onnx          a model for other runtimes, operator set 17, any batch of images of one "
      "size; takes\n"
      "                pixels [N, 3 or 1, rows, cols], RGB or grey from 0 to 1: normalises them "
      "itself\n"
      "Outputs of --to onnx, chosen by --what; the default follows the kind of checkpoint:\n"
      "  features      of an encoder: tokens, their mean, a ViT's class token\n"
      "  classes       of a classifier or probe: logits\n"
      "  map           of a segmenter: logits, and a class for each pixel\n"
      "  detections    of a detector: feature maps of the backbone and the pyramid p2 to p6, "
      "without\n"
      "                proposals, boxes and masks\n"
      "Examples:\n  fastconvmae checkpoint convert runs/base checkpoint-49.pth\n"
      "  fastconvmae checkpoint convert runs/tuned tuned.onnx --size 288");
  add_checkpoint(flags, request->checkpoint.path, "checkpoint,--checkpoint").required();
  flags
      .add("out,--out", request->out, "PATH",
           "A file; a folder for native, hf, timm and transformers")
      .required();
  flags.add_choice("--to", request->to,
                   {"native", "pth", "safetensors", "hf", "encoder", "timm", "transformers",
                    "mmseg", "detectron2", "onnx"},
                   "The format, see below");
  flags.add_choice("--what", request->what, {"features", "classes", "detections", "map"},
                   "With --to onnx: its outputs, see below");
  flags.add(
      "--size", request->size, Between<int64_t>{0, 8192},
      "With --to onnx: rows and columns of the images (positions are resized); 0: as trained");
  add_set_of_checkpoint(flags, request->checkpoint.set);
  add_overwrite(flags, request->overwrite, "Replace what is at --out");
  add_reading_threads(flags, request->threads);
  return [request](const Output& output) {
    const nlohmann::json facts = version_facts();
    request->version = facts.at("version");
    request->revision = facts.at("revision");
    return output.print(tasks::convert_checkpoint(*request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
