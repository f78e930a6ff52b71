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

// The normalisation of every graph's input: "pixels" [N, channels, rows, cols], float32, RGB or
// grey, from 0 to 1. The first nodes of a graph subtract the mean and divide by the std of each
// channel.
struct Pixels {
  std::vector<double> mean, stddev;
};

// The graphs evaluate models in float32, without drop path and with running statistics. They share
// weights with the model. The caller adds the producer.

// The encoder of a pretraining run with all patches visible: "tokens" [N, L, C] in raster order
// after the norm; "features" [N, C], their mean; for a ViT "class_token" [N, C].
formats::OnnxModel features_graph(const models::MaskedAutoencoder& model, const Pixels& pixels);

// "logits" [N, classes].
formats::OnnxModel classes_graph(const models::Classifier& model, const Pixels& pixels);
// The same for an upstream linear probe: `head` has the parameters of heads/batch_norm_probe.h.
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
