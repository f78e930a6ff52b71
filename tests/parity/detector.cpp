#include "tests/parity/detector.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/interop/batch_counts.h"
#include "fcm/ops/patchify/op.h"
#include "reference/detection_boxes.h"
#include "reference/detector.h"
#include "reference/procedural.h"
#include "tests/parity/detection_stored.h"
#include "tests/parity/golden.h"
#include "tests/parity/segmentation_head.h"
#include "tests/parity/segmentor.h"

namespace fcm::parity {
namespace {

models::DetectorOptions detector_options_of(const nlohmann::json& about) {
  models::DetectorOptions options;
  const auto image = about.at("image").get<std::vector<int64_t>>();
  models::DetectorBackboneOptions& backbone = options.backbone;
  backbone.rows = image[0];
  backbone.cols = image[1];
  backbone.window = about.at("window_size");
  backbone.encoder.dims = about.at("embed_dim").get<std::vector<int64_t>>();
  backbone.encoder.depths = about.at("depth").get<std::vector<int64_t>>();
  backbone.encoder.heads = about.at("num_heads").get<int64_t>();
  backbone.drop_path = 0;
  options.channels = about.at("fpn_channels");
  options.box_features = about.at("fc");
  options.classes = about.at("num_classes");
  const nlohmann::json &rpn = about.at("rpn"), &roi = about.at("roi");
  const auto before = rpn.at("pre_nms_topk").get<std::vector<int64_t>>();
  const auto after = rpn.at("post_nms_topk").get<std::vector<int64_t>>();
  options.sampled_anchors = rpn.at("batch_size_per_image");
  options.sampled_regions = roi.at("batch_size_per_image");
  options.training_proposals = {before[0], after[0]};
  options.testing_proposals = {before[1], after[1]};
  return options;
}

// Weights with procedural values by name; position tables keep their initial values.
reference::Weights detector_weights(const models::DetectorOptions& options, uint64_t seed) {
  reference::Weights weights;
  const models::Detector model(options, 0);
  for (const nn::Parameter& parameter : model.parameters().all()) {
    const std::string& name = parameter.name;
    if (name.ends_with(interop::kBatchesSeen)) {
      weights[name] = at::zeros({});
    } else if (name.ends_with("pos_embed")) {
      weights[name] = model.parameters().published(parameter).clone();
    } else {
      weights[name] = reference::procedural(name, seed, parameter.published_shape);
    }
    if (name == "proposal_generator.rpn_head.anchor_deltas.weight") weights[name] *= 0.25;
  }
  return weights;
}

loader::Instances labelled_image(const Tensors& stored, const nlohmann::json& polygons,
                                 size_t image, int64_t rows, int64_t cols) {
  loader::Instances labelled;
  labelled.rows = rows;
  labelled.cols = cols;
  const at::Tensor boxes_T4 = stored.at(fmt::format("gt_boxes.{}", image));
  const at::Tensor classes_T = stored.at(fmt::format("gt_classes.{}", image));
  for (int64_t i = 0; i < boxes_T4.size(0); ++i) {
    loader::Instance one;
    one.class_number = classes_T[i].item<int64_t>();
    for (int64_t side = 0; side < 4; ++side) {
      one.box[static_cast<size_t>(side)] = boxes_T4[i][side].item<double>();
    }
    one.outlines =
        polygons.at(image).at(static_cast<size_t>(i)).get<std::vector<std::vector<double>>>();
    labelled.instances.push_back(std::move(one));
  }
  return labelled;
}

at::Tensor normalised_images(const DetectorCase& c, at::ScalarType type) {
  const at::Tensor mean = at::tensor({123.675, 116.28, 103.53}, type).view({3, 1, 1});
  const at::Tensor stddev = at::tensor({58.395, 57.12, 57.375}, type).view({3, 1, 1});
  std::vector<at::Tensor> images;
  for (const at::Tensor& image : c.images_CHW) {
    images.push_back((image.to(type) - mean) / stddev);
  }
  return at::stack(images);
}

// For each candidate in `chosen`, its index in the ascending list of candidates with this label.
std::vector<int64_t> indices_among_label(const at::Tensor& chosen, const at::Tensor& label_N,
                                         int64_t label) {
  const at::Tensor list = label_N.eq(label).nonzero().squeeze(1).contiguous();
  const auto* first = list.const_data_ptr<int64_t>();
  std::vector<int64_t> indices;
  const at::Tensor ids = chosen.to(at::kLong).contiguous();
  for (int64_t i = 0; i < ids.size(0); ++i) {
    const int64_t id = ids.const_data_ptr<int64_t>()[i];
    const auto* found = std::lower_bound(first, first + list.size(0), id);
    require(found != first + list.size(0) && *found == id,
            "candidate {} was drawn, but its label is not {}", id, label);
    indices.push_back(found - first);
  }
  return indices;
}

// A choice that returns the stored samples. They are stored as indices into all candidates.
boxes::Choice given_choice(const at::Tensor& positive, const at::Tensor& negative,
                           const at::Tensor& label_N) {
  return [=](boxes::Side side, int64_t, int64_t) {
    const bool is_positive = side == boxes::Side::kPositives;
    return indices_among_label(is_positive ? positive : negative, label_N, is_positive ? 1 : 0);
  };
}

struct Drawn {
  at::Tensor positive, negative;
};

Drawn drawn_regions(const DetectorCase& c, size_t image) {
  const at::Tensor is_object = c.region_classes[image].ne(c.options.classes);
  const auto taken = [&](const at::Tensor& mask) {
    return c.regions[image].index_select(0, mask.nonzero().squeeze(1));
  };
  return {taken(is_object), taken(is_object.logical_not())};
}

std::vector<models::FrameTruth> truths_of_case(const DetectorCase& c, at::ScalarType type) {
  std::vector<models::FrameTruth> truths;
  for (const loader::Instances& labelled : c.labelled) {
    const auto count = std::ssize(labelled.instances);
    models::FrameTruth truth{at::empty({count, 4}, type), at::empty({count}, at::kLong)};
    for (int64_t i = 0; i < count; ++i) {
      const loader::Instance& one = labelled.instances[static_cast<size_t>(i)];
      for (int64_t side = 0; side < 4; ++side) {
        truth.boxes_T4[i][side] = one.box[static_cast<size_t>(side)];
      }
      truth.classes_T[i] = one.class_number;
    }
    truths.push_back(std::move(truth));
  }
  return truths;
}

at::Tensor masks_of_case(const DetectorCase& c, int64_t image, const at::Tensor& boxes_M4,
                         const at::Tensor& truths_M, at::ScalarType type) {
  const at::Tensor boxes = boxes_M4.to(at::kFloat).contiguous();
  std::vector<at::Tensor> masks;
  for (int64_t i = 0; i < boxes.size(0); ++i) {
    const auto* corner = boxes.const_data_ptr<float>() + 4 * i;
    const auto truth = static_cast<size_t>(truths_M[i].item<int64_t>());
    std::vector<uint8_t> mask = loader::mask_target_of(
        c.labelled[static_cast<size_t>(image)].instances[truth],
        {corner[0], corner[1], corner[2], corner[3]}, models::Detector::kMaskSide);
    masks.push_back(at::from_blob(mask.data(),
                                  {models::Detector::kMaskSide, models::Detector::kMaskSide},
                                  at::kByte)
                        .to(type));
  }
  return at::stack(masks);
}

reference::DetectorOptions reference_options(const models::DetectorOptions& own,
                                             at::ScalarType compute) {
  reference::DetectorOptions options;
  static_cast<reference::EncoderSizes&>(options) = reference::encoder_sizes(own.backbone);
  options.window = own.backbone.window;
  options.global_blocks = own.backbone.global_blocks;
  options.compute = compute;
  options.classes = own.classes;
  options.sampled_anchors = own.sampled_anchors;
  options.sampled_regions = own.sampled_regions;
  options.training_proposals = {own.training_proposals.per_level, own.training_proposals.kept};
  options.testing_proposals = {own.testing_proposals.per_level, own.testing_proposals.kept};
  return options;
}

// Saves observed tensors whose stored counterparts exist, under the stored names.
nn::Observer keeper(Tensors& values, bool nhwc) {
  return [&values, nhwc](const std::string& name, const at::Tensor& seen) {
    const bool map = name.size() == 2 && name[0] == 'p';
    const bool wanted = name.starts_with("proposals.") || name.starts_with("objectness.") ||
                        name == "box_scores" || name == "box_deltas" || name == "mask_logits";
    if (!map && !wanted) return;
    const at::Tensor value = seen.detach().clone();
    values[map ? "features." + name : name] = map && nhwc ? as_nchw(value) : value;
  };
}

template <typename Losses>
void keep_losses(Tensors& values, const Losses& losses) {
  values["loss_rpn_cls"] = losses.rpn_class.detach();
  values["loss_rpn_loc"] = losses.rpn_box.detach();
  values["loss_cls"] = losses.box_class.detach();
  values["loss_box_reg"] = losses.box_deltas.detach();
  values["loss_mask"] = losses.mask.detach();
  values["total"] = losses.total().detach();
}

// Per image, the labels of the stored proposals followed by the truths. Sampling depends on them.
std::vector<at::Tensor> region_labels(const DetectorCase& c, const Tensors& stored) {
  std::vector<at::Tensor> labels;
  const auto truths = truths_of_case(c, at::kFloat);
  for (size_t i = 0; i < truths.size(); ++i) {
    const at::Tensor candidates =
        at::cat({stored.at(fmt::format("proposals.{}", i)), truths[i].boxes_T4});
    labels.push_back(reference::matched_boxes(
                         reference::overlap_matrix(truths[i].boxes_T4, candidates), 0.5, 0.5, false)
                         .label_N);
  }
  return labels;
}

at::Tensor pixels_in_order(const models::Detector& model, const at::Tensor& images_BCHW,
                           const masks::ViewPlan& plan) {
  return ops::patchify_normalised(images_BCHW, plan.order_BL, model.geometry());
}

}  // namespace

DetectorCase detector_case(const Entry& entry, const Request& request, const Tensors& training) {
  DetectorCase c;
  c.options = detector_options_of(entry.about);
  Inputs inputs;  // request.mistake may change them
  inputs.weights = detector_weights(c.options, entry.about.at("weight_seed").get<uint64_t>());
  if (request.mistake) request.mistake(inputs);
  c.weights = inputs.weights;
  const nlohmann::json polygons = read_json(entry.folder / (entry.stem() + ".polygons.json"));
  for (size_t i = 0; training.contains(fmt::format("image.{}", i)); ++i) {
    const auto of = [&](const char* name) { return training.at(fmt::format("{}.{}", name, i)); };
    c.images_CHW.push_back(of("image"));
    c.labelled.push_back(
        labelled_image(training, polygons, i, c.options.backbone.rows, c.options.backbone.cols));
    c.anchors_positive.push_back(of("rpn.pos_idx"));
    c.anchors_negative.push_back(of("rpn.neg_idx"));
    c.anchor_labels.push_back(of("rpn.labels"));
    c.regions.push_back(of("roi.sampled_idx"));
    c.region_classes.push_back(of("roi.sampled_class"));
  }
  require(!c.images_CHW.empty(), "{} has no images", entry.file);
  return c;
}

Tensors train_detector(const DetectorCase& c, const Tensors& stored, Path path,
                       at::ScalarType type) {
  Tensors values;
  const at::Tensor images_BCHW = normalised_images(c, type);
  const std::vector<models::FrameTruth> truths = truths_of_case(c, type);
  const std::vector<at::Tensor> labels = region_labels(c, stored);
  if (path == Path::kReference) {
    const reference::Weights weights = as_type(c.weights, type);
    for (const auto& [name, value] : weights) {
      if (name.ends_with("bias_table")) value.set_requires_grad(true);
    }
    std::vector<reference::LabelledFrame> labelled;
    for (const models::FrameTruth& one : truths) labelled.push_back({one.boxes_T4, one.classes_T});
    reference::DetectorTrainingDraws pass;
    pass.anchors = [&](int64_t i, const at::Tensor&) {
      const auto at = static_cast<size_t>(i);
      return std::pair(c.anchors_positive[at].to(at::kLong), c.anchors_negative[at].to(at::kLong));
    };
    pass.regions = [&](int64_t i, const at::Tensor&) {
      const Drawn drawn = drawn_regions(c, static_cast<size_t>(i));
      return std::pair(drawn.positive.to(at::kLong), drawn.negative.to(at::kLong));
    };
    pass.masks = [&](int64_t i, const at::Tensor& boxes_M4, const at::Tensor& truths_M) {
      return masks_of_case(c, i, boxes_M4, truths_M, type);
    };
    const reference::DetectorLosses losses =
        reference::detector_losses(weights, reference_options(c.options, type), images_BCHW,
                                   labelled, pass, keeper(values, false));
    torch::autograd::backward({losses.total()}, {});
    keep_losses(values, losses);
    keep_weights(values, weights, "grad.", "after.");
    return values;
  }
  models::Detector model(c.options, 0, type);
  set_weights(model.parameters(), c.weights);
  models::Detector::Draws draws;
  for (size_t i = 0; i < truths.size(); ++i) {
    draws.anchors.push_back(
        given_choice(c.anchors_positive[i], c.anchors_negative[i], c.anchor_labels[i]));
    const Drawn drawn = drawn_regions(c, i);
    draws.regions.push_back(given_choice(drawn.positive, drawn.negative, labels[i]));
  }
  const masks::ViewPlan plan = model.plan(images_BCHW.size(0));
  const models::Detector::Losses losses = model.train(
      pixels_in_order(model, images_BCHW, plan), plan, type, draws, truths,
      [&](int64_t i, const at::Tensor& boxes_M4, const at::Tensor& truths_M) {
        return masks_of_case(c, i, boxes_M4, truths_M, type);
      },
      dist::group_of_one(), keeper(values, true));
  torch::autograd::backward({losses.total()}, {});
  keep_losses(values, losses);
  keep_parameters(values, model.parameters(), "grad.", "after.");
  return values;
}

Tensors detect_objects(const DetectorCase& c, Path path, at::ScalarType type) {
  Tensors values;
  const at::Tensor images_BCHW = normalised_images(c, type);
  const auto keep = [&](size_t i, const auto& one) {
    values[fmt::format("raw.boxes.{}", i)] = one.boxes_N4;
    values[fmt::format("raw.scores.{}", i)] = one.scores_N;
    values[fmt::format("raw.classes.{}", i)] = one.classes_N;
    values[fmt::format("raw.masks.{}", i)] = one.masks_NSS;
  };
  if (path == Path::kReference) {
    const reference::Weights weights = as_type(c.weights, type);
    const auto found = reference::find_objects(weights, reference_options(c.options, type),
                                               images_BCHW, keeper(values, false));
    for (size_t i = 0; i < found.size(); ++i) keep(i, found[i]);
    return values;
  }
  models::Detector model(c.options, 0, type);
  set_weights(model.parameters(), c.weights);
  const masks::ViewPlan plan = model.plan(images_BCHW.size(0));
  const std::vector<models::Detections> found =
      model.detect(pixels_in_order(model, images_BCHW, plan), plan, type, keeper(values, true));
  for (size_t i = 0; i < found.size(); ++i) keep(i, found[i]);
  return values;
}

}  // namespace fcm::parity
