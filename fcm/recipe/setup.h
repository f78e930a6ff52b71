// From a recipe to the things a run is made of.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/models/classifier.h"
#include "fcm/models/detector.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/models/segmenter.h"
#include "fcm/recipe/recipe.h"
#include "fcm/targets/ema_teacher.h"

namespace fcm::recipe {

models::AutoencoderOptions autoencoder_options(const Recipe& recipe);
models::ClassifierOptions classifier_options(const Recipe& recipe, int64_t classes);
models::DetectorOptions detector_options(const Recipe& recipe, int64_t classes);
models::SegmenterOptions segmenter_options(const Recipe& recipe, int64_t classes);
targets::Student student_of(const Recipe& recipe);

// model.precision, with "auto" decided by what the device has in hardware.
at::ScalarType compute_type(const std::string& precision, at::Device device = at::kCPU);
const char* compute_name(at::ScalarType compute);

// Bytes a picture keeps between forward and backward: an estimate from above, for choosing
// micro-batches.
double activation_bytes_per_image(const Recipe& recipe, at::ScalarType compute);

// optim.micro_batch, or as many pictures as half of the memory holds, of a segmenter no fewer than
// two; the batch is split evenly.
int64_t choose_micro_batch(const Recipe& recipe, at::ScalarType compute, double memory_bytes);

// Multiply-adds of a forward pass of one picture: encoder and decoder, or encoder and heads of a
// segmenter or a detector, as models::cost counts them; of a classifier the encoder's on every
// patch. Training costs three times as much; a multiply-add is two operations.
double forward_multiply_adds(const Recipe& recipe);

// The same of the teachers, which are never trained.
double teacher_multiply_adds(const Recipe& recipe);

// Operations of a training step for one picture.
double training_flops(const Recipe& recipe);

}  // namespace fcm::recipe
