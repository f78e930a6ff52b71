// Trained models as ONNX graphs for other runtimes.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/formats/onnx_file.h"
#include "fcm/models/classifier.h"
#include "fcm/models/detector.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/models/segmenter.h"
#include "fcm/nn/parameters.h"

namespace fcm::interop::onnx {

// Input of every graph, "pixels" [N, channels, rows, cols], float32: values of 0..1, RGB or grey.
// Its first nodes subtract these and divide by those, one a channel.
struct Pixels {
  std::vector<double> mean, deviation;
};

// The graphs hold nodes, inputs, outputs and weights; who made them is the caller's to say. Weights
// are those of the model, shared. Evaluation in float32: no drop path, running statistics.

// The encoder of a pretraining run, all patches seen: "tokens" [N, L, C] in raster order behind the
// norm; "features" [N, C], their mean; of a ViT "class_token" [N, C].
formats::OnnxModel features_graph(const models::MaskedAutoencoder& model, const Pixels& pixels);

// "logits" [N, classes].
formats::OnnxModel classes_graph(const models::Classifier& model, const Pixels& pixels);
// Of a published probe: the encoder's, and the head's parameters (heads/batch_norm_probe.h).
formats::OnnxModel classes_graph(const models::Classifier& encoder, const nn::Parameters& head,
                                 int64_t classes, const Pixels& pixels);

// "logits" [N, classes, ..] of the size of the encoder's finest map, a quarter of the picture's
// rows and columns where patches have 16 pixels; and "map" [N, rows, cols], int64: the largest of
// them, brought to the picture's size.
formats::OnnxModel map_graph(const models::Segmenter& model, const Pixels& pixels);

// What a detector has in front of its proposals: the maps of its backbone, "backbone_stride<s>"
// [N, C, rows / s, cols / s], and its pyramid, "p2" to "p6" [N, channels, ..], finest first.
// Without proposals, regions and masks.
formats::OnnxModel trunk_graph(const models::Detector& model, const Pixels& pixels);

}  // namespace fcm::interop::onnx
