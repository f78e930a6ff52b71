// What a manifest says of a published Swin: SimMIM, its classifier, GreenMIM.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "fcm/models/classifier.h"
#include "fcm/models/masked_autoencoder.h"
#include "reference/swin.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/published_model.h"

namespace fcm::parity {

enum class SwinProgram { kSimMim, kClassifier, kGreenMim };

struct SwinModel {
  SwinProgram program = SwinProgram::kSimMim;
  reference::SwinOptions options;
  int64_t blocks() const;
  NamesAndShapes parameters() const;  // ours
  encoder::EncoderOptions encoder() const;
  models::AutoencoderOptions autoencoder() const;
  models::ClassifierOptions classifier() const;
};

// Whether an entry is of one of them.
bool is_swin(const Entry& entry);
SwinModel swin_model(const Entry& entry);

// The name that a parameter has in the program's files: ours, with "encoder." in front of what is
// the encoder's in pretraining, and SimMIM's name of its decoder.
std::string name_in_file(SwinProgram program, const std::string& name);

struct SwinInputs {
  Tensors weights;  // under our names
  at::Tensor images_BCHW;
  at::Tensor mask_Bhw;  // SimMIM: 1 where a cell of the first stage is hidden
  at::Tensor noise_L;   // GreenMIM
  int64_t kept = 0;     // units: of GreenMIM's
  at::Tensor labels_B, targets_BC;
};

// `stored`: of the entry's file, or of the one that holds its masks and labels.
SwinInputs swin_inputs(const Entry& entry, const SwinModel& model, const Tensors& stored);

}  // namespace fcm::parity
