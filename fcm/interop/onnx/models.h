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

// Normalisation of every graph's input, "pixels" [N, channels, rows, cols], float32, values in
// 0..1, RGB or grey: its first nodes subtract the mean and divide by the std, one value per
// channel.
struct Pixels {
  std::vector<double> mean, stddev;
};

// The graphs hold nodes, inputs, outputs and weights; the caller adds the producer. Weights are
// shared with the model. Evaluation in float32: no drop path, running statistics.

// The encoder of a pretraining run with all patches visible: "tokens" [N, L, C] in raster order
// after the norm; "features" [N, C], their mean; for a ViT "class_token" [N, C].
formats::OnnxModel features_graph(const models::MaskedAutoencoder& model, const Pixels& pixels);

// "logits" [N, classes].
formats::OnnxModel classes_graph(const models::Classifier& model, const Pixels& pixels);
// An upstream linear probe: the encoder's and the head's parameters (heads/batch_norm_probe.h).
formats::OnnxModel classes_graph(const models::Classifier& encoder, const nn::Parameters& head,
                                 int64_t classes, const Pixels& pixels);

// "logits" [N, classes, ..] with the size of the encoder's finest map (a quarter of the image's
// rows and columns for patches of 16 pixels); and "map" [N, rows, cols], int64: the argmax of the
// logits upsampled to the image's size.
formats::OnnxModel map_graph(const models::Segmenter& model, const Pixels& pixels);

// A detector without proposals, regions and masks: the maps of its backbone, "backbone_stride<s>"
// [N, C, rows / s, cols / s], and its pyramid, "p2" to "p6" [N, channels, ..], finest first.
formats::OnnxModel trunk_graph(const models::Detector& model, const Pixels& pixels);

}  // namespace fcm::interop::onnx
