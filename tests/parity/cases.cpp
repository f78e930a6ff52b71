#include "tests/parity/cases.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <map>

#include "tests/parity/coco_cases.h"
#include "tests/parity/detection_cases.h"
#include "tests/parity/miou_cases.h"
#include "tests/parity/swin_model.h"

namespace fcm::parity {
namespace {

using Cases = std::vector<CaseResult> (*)(const Entry&, const Request&);

std::vector<CaseResult> no_cases(const Entry&, const Request&) { return {}; }

const std::map<std::string, Cases>& cases_of_kinds() {
  static const std::map<std::string, Cases> kinds{{"forward", pretraining_cases},
                                                  {"pred", pretraining_cases},
                                                  {"grads", pretraining_cases},
                                                  {"compact", pretraining_cases},
                                                  {"base", pretraining_cases},
                                                  {"adamw", optimizer_cases},
                                                  {"finetune", classifier_cases},
                                                  {"finetune-base", classifier_cases},
                                                  {"finetune-steps", layer_decay_cases},
                                                  {"linear-probe", linear_probe_cases},
                                                  {"drop-path", table_cases},
                                                  {"schedule", table_cases},
                                                  {"sincos", table_cases},
                                                  {"procedural-table", table_cases},
                                                  {"param-groups", group_cases},
                                                  {"state", table_cases},
                                                  {"inputs", table_cases},
                                                  {"oracle", oracle_cases},
                                                  {"transforms", image_cases},
                                                  {"photo", image_cases},
                                                  {"errors", no_cases},
                                                  {"checkpoint", checkpoint_cases},
                                                  {"expected", resume_cases},
                                                  {"teacher", teacher_cases},
                                                  {"teacher-file", teacher_file_cases}};
  return kinds;
}

const std::map<std::string, Cases>& cases_of_swin_kinds() {
  static const std::map<std::string, Cases> kinds{{"forward", swin_cases},
                                                  {"grads", swin_cases},
                                                  {"base", swin_cases},
                                                  {"adamw", swin_optimizer_cases},
                                                  {"param-groups", swin_table_cases},
                                                  {"schedule", swin_table_cases},
                                                  {"masks", swin_table_cases},
                                                  {"plans", swin_table_cases},
                                                  {"resize", swin_table_cases},
                                                  {"tables", swin_table_cases},
                                                  {"errors", no_cases},
                                                  {"checkpoint", checkpoint_cases},
                                                  {"expected", swin_resume_cases}};
  return kinds;
}

// Most files of the segmentation set have the kind "golden", so their names select the cases.
// tests/optim compares the schedule. Files of metrics and windows are recognised by
// is_segmentation_map_entry; other files that are not listed are unknown.
const std::map<std::string, Cases>& cases_of_segmentation_files() {
  static const std::map<std::string, Cases> files{
      {"train_pipeline.safetensors", scene_cases},
      {"train_pipeline.json", no_cases},
      {"test_pipeline.safetensors", scene_cases},
      {"test_pipeline.json", no_cases},
      {"resize.safetensors", scene_cases},
      {"resize.json", no_cases},
      {"resize_sizes.json", scene_cases},
      {"colour.safetensors", scene_cases},
      {"colour.json", no_cases},
      {"colour_convert.safetensors", scene_cases},
      {"colour_reduce_zero_label.json", scene_cases},
      {"crop_rule.safetensors", scene_cases},
      {"crop_rule.json", no_cases},
      {"backbone_square.safetensors", segmentor_cases},
      {"backbone_rect.safetensors", segmentor_cases},
      {"segmentor_square.safetensors", segmentor_cases},
      {"segmentor_rect.safetensors", segmentor_cases},
      {"segmentor_square.steps.safetensors", segmentor_cases},
      {"segmentor_rect.steps.safetensors", segmentor_cases},
      {"mae_vit_segmentor.safetensors", segmentor_cases},
      {"inference.safetensors", segmentor_cases},
      {"other_size.safetensors", segmentor_cases},
      {"pretrained.safetensors", segmentor_cases},
      {"position_resize.safetensors", segmentor_cases},
      {"base_512.safetensors", segmentor_cases},
      {"base_params.json", segmentation_table_cases},
      {"base_groups.json", segmentation_table_cases},
      {"mae_base_groups.json", segmentation_table_cases},
      {"base_init_statistics.json", segmentation_table_cases},
      {"checkpoint_mmseg.pth", no_cases},  // tests of interop and tasks read these three files
      {"checkpoint_mmseg.expected.safetensors", no_cases},
      {"pretrained.pth", no_cases},
      {"schedule.json", no_cases},
      {"heads_square.decode_head.safetensors", segmentation_head_cases},
      {"heads_square.auxiliary_head.safetensors", segmentation_head_cases},
      {"heads_rect.decode_head.safetensors", segmentation_head_cases},
      {"heads_rect.auxiliary_head.safetensors", segmentation_head_cases},
      {"losses.safetensors", segmentation_loss_cases},
      {"map4_and_pooling.safetensors", segmentation_map_cases}};
  return files;
}

// The detection set, by file names. COCO evaluations and rle.json are recognised by is_of_coco;
// tests/optim compares the schedules.
const std::map<std::string, Cases>& cases_of_detection_files() {
  static const std::map<std::string, Cases> files{
      // data
      {"lsj_images.safetensors", detection_data_cases},
      {"lsj_images.json", no_cases},
      {"lsj_images_1024.safetensors", detection_data_cases},
      {"lsj_images_1024.json", no_cases},
      {"lsj_sizes.json", detection_data_cases},
      {"lsj_annotations.json", detection_data_cases},
      {"lsj_coco_sample.json", detection_data_cases},
      {"test_resize.safetensors", detection_data_cases},
      {"mask_targets.safetensors", detection_data_cases},
      {"mask_targets.json", no_cases},
      // backbones
      {"backbone_1024.safetensors", detection_backbone_cases},
      {"backbone_rect.safetensors", detection_backbone_cases},
      {"backbone_tiny.safetensors", detection_backbone_cases},
      {"backbone_droppath.safetensors", detection_backbone_cases},
      {"mae_vit_tiny.safetensors", detection_backbone_cases},
      {"official_tiny.safetensors", detection_backbone_cases},
      {"pos_embed_resize.safetensors", detection_position_cases},
      {"convmae_det_base.json", detection_table_cases},
      // operators
      {"nms.safetensors", nms_file_cases},
      {"roi_align.safetensors", roi_align_file_cases},
      {"roi_pooler.safetensors", roi_pooler_file_cases},
      {"paste_masks.safetensors", paste_masks_file_cases},
      {"paste_masks.json", no_cases},
      {"postprocess.safetensors", postprocess_file_cases},
      {"postprocess.json", no_cases},
      // boxes
      {"anchors.safetensors", detection_box_cases},
      {"box2box.safetensors", detection_box_cases},
      {"matcher.safetensors", detection_box_cases},
      {"rpn_top_proposals.safetensors", detection_box_cases},
      {"box_inference.safetensors", detection_box_cases},
      // heads
      {"fpn_tiny.safetensors", detection_map_cases},
      {"rpn_tiny.safetensors", detection_map_cases},
      {"box_head_tiny.safetensors", detection_region_cases},
      {"mask_head_tiny.safetensors", detection_region_cases},
      {"mask_head_tiny.polygons.json", no_cases},
      {"sync_bn.safetensors", detection_region_cases},
      // whole detectors
      {"e2e_tiny.train.safetensors", detector_cases},
      {"e2e_no_truth.train.safetensors", detector_cases},
      {"e2e_tiny.test.safetensors", detector_cases},
      {"e2e_tiny.polygons.json", no_cases},
      {"e2e_no_truth.polygons.json", no_cases},
      {"e2e_tiny.results.json", no_cases},
      {"schedules.json", no_cases},
  };
  return files;
}

bool is_of_detection(const Entry& entry) { return entry.folder.filename() == "detection"; }

bool is_of_segmentation(const Entry& entry) { return entry.folder.filename() == "segmentation"; }

// In the folder that holds only Swins, some tables name no source.
bool is_of_swin(const Entry& entry) { return is_swin(entry) || entry.folder.filename() == "swin"; }

}  // namespace

bool knows(const Entry& entry) {
  if (is_segmentation_map_entry(entry) || is_of_coco(entry)) return true;
  if (is_of_segmentation(entry) && entry.kind() != "errors") {
    return cases_of_segmentation_files().contains(entry.file);
  }
  if (is_of_detection(entry) && entry.kind() != "errors") {
    return cases_of_detection_files().contains(entry.file);
  }
  const std::string kind = entry.kind();
  return cases_of_kinds().contains(kind) || cases_of_swin_kinds().contains(kind);
}

std::vector<CaseResult> run_cases(const Entry& entry, const Request& request) {
  if (is_segmentation_map_entry(entry)) return miou_cases(entry, request);
  if (is_of_coco(entry)) return coco_cases(entry, request);
  if (is_of_segmentation(entry) && entry.kind() != "errors") {
    return cases_of_segmentation_files().at(entry.file)(entry, request);
  }
  if (is_of_detection(entry) && entry.kind() != "errors") {
    return cases_of_detection_files().at(entry.file)(entry, request);
  }
  const auto& kinds = is_of_swin(entry) ? cases_of_swin_kinds() : cases_of_kinds();
  return kinds.at(entry.kind())(entry, request);
}

void add_case(std::vector<CaseResult>& results, const Request& request, const std::string& name,
              const std::function<void(CaseResult&)>& body) {
  if (name.find(request.filter) == std::string::npos) return;
  CaseResult result;
  result.name = name;
  try {
    body(result);
  } catch (const c10::Error& error) {
    add_fault(result, error.what_without_backtrace());
  } catch (const std::exception& error) {
    add_fault(result, error.what());
  }
  if (result.tensors == 0 && result.faults.empty()) add_fault(result, "nothing was compared");
  results.push_back(std::move(result));
}

}  // namespace fcm::parity
