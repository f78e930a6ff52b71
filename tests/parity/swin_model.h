// The upstream Swin described by a manifest: SimMIM, its classifier, GreenMIM.
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
  NamesAndShapes parameters() const;  // with this program's names
  encoder::EncoderOptions encoder() const;
  models::AutoencoderOptions autoencoder() const;
  models::ClassifierOptions classifier() const;
};

// Whether an entry belongs to one of these models.
bool is_swin(const Entry& entry);
SwinModel swin_model(const Entry& entry);

// A parameter's name in upstream files. It differs from this program's name only in pretraining:
// encoder names begin with "encoder.", and SimMIM's decoder has another name.
std::string name_in_file(SwinProgram program, const std::string& name);

struct SwinInputs {
  Tensors weights;  // by this program's names
  at::Tensor images_BCHW;
  at::Tensor mask_Bhw;  // SimMIM: 1 where a cell of the first stage is hidden
  at::Tensor noise_L;   // GreenMIM
  int64_t kept = 0;     // GreenMIM's number of visible patches
  at::Tensor labels_B, targets_BC;
};

// `stored`: the tensors of the entry's file, or of the file that has the entry's masks and labels.
SwinInputs swin_inputs(const Entry& entry, const SwinModel& model, const Tensors& stored);

}  // namespace fcm::parity
