// Derives from a recipe the options of models, the compute type, the micro-batch and the cost.
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

// model.precision as a type: bf16 or fp32; "auto" is bf16 on a GPU and on a CPU that has bf16
// instructions, else fp32.
at::ScalarType compute_type(const std::string& precision, at::Device device = at::kCPU);
const char* compute_name(at::ScalarType compute);

// Bytes saved for backward per image: an upper estimate, for choosing micro-batches.
double activation_bytes_per_image(const Recipe& recipe, at::ScalarType compute);

// Images per micro-batch: at most optim.micro_batch, or if that is 0, at most as many as fit in
// half of `memory_bytes` (but at least two for a segmenter). The batch is split evenly.
int64_t choose_micro_batch(const Recipe& recipe, at::ScalarType compute, double memory_bytes);

// Multiply-adds of a forward pass of one image: encoder and decoder, or encoder and heads of a
// segmenter or a detector, as models::cost counts them; for a classifier the encoder on every
// patch. Forward and backward together cost three times as much; a multiply-add is two operations.
double forward_multiply_adds(const Recipe& recipe);

// The same for the teachers, which have no backward pass.
double teacher_multiply_adds(const Recipe& recipe);

// Floating-point operations of a training step per image, teachers included.
double training_flops(const Recipe& recipe);

}  // namespace fcm::recipe
