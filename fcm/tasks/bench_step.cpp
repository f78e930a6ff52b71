// Speed of a training step: this program's model, and the published form, alternating in one run.
#include <ATen/ATen.h>
#include <malloc.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>

#include "fcm/base/error.h"
#include "fcm/optim/adamw.h"
#include "fcm/reference/reference.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/profile.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/meters.h"
#include "fcm/train/setup.h"
#include "fcm/train/step.h"

namespace fcm::tasks {
namespace {

// Seconds of the parts of one step.
struct Parts {
  double teachers = 0, encoder = 0, decoder = 0, backward = 0, update = 0;
  double whole() const { return teachers + encoder + decoder + backward + update; }
};

// What is in use of the main thread's heap, where all tensors of a step lie except scratch of
// worker threads. Resident memory would count what was freed on the way as well.
double allocated_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

// Something that can do a training step on the same pictures and plan every time.
class Implementation {
 public:
  virtual ~Implementation() = default;
  virtual Parts step() = 0;

  Profile* profile = nullptr;

  std::vector<Parts> timed;
  double peak_memory = 0;
  double kept_bytes = 0;  // allocated between the start of a step and its backward pass
};

class Fast final : public Implementation {
 public:
  Fast(const train::Recipe& recipe, const at::Tensor& pictures_BHWC, at::ScalarType compute)
      : recipe_(recipe),
        pictures_BHWC_(pictures_BHWC),
        compute_(compute),
        model_(train::autoencoder_options(recipe), 0),
        optimizer_(model_.parameters(), recipe.optim),
        ids_(static_cast<size_t>(pictures_BHWC.size(0))) {
    std::iota(ids_.begin(), ids_.end(), 0);
    if (recipe.targets.features().empty()) return;
    teachers_ = std::make_unique<targets::Teachers>(recipe.targets, train::student_of(recipe));
    teachers_->randomise();  // as fast as the published weights
    if (teachers_->ema() != nullptr) teachers_->ema()->start_from(model_.parameters());
  }

  models::MaskedAutoencoder& model() { return model_; }

  Parts step() override {
    Parts parts;
    train::Stopwatch watch;
    const auto lap = [&](double& part) {
      part = watch.seconds();
      watch.restart();
    };
    const auto phase = [&](const char* name) {
      if (profile != nullptr) profile->phase(name);
    };
    const double before = allocated_bytes();
    phase(teachers_ ? "teachers" : "encoder");
    const masks::ViewPlan plan = masks::plan_for_samples(ids_, 0, 0, model_.grid(), recipe_.masks);
    const at::Tensor pixels =
        train::pixels_of(pictures_BHWC_, plan, model_.geometry(), recipe_.data);
    targets::Features wanted;
    if (teachers_) wanted = teachers_->features(pictures_BHWC_, pixels, plan, compute_);
    lap(parts.teachers);
    phase("encoder");
    const encoder::Features features = model_.encode(pixels, plan, compute_);
    lap(parts.encoder);
    phase("decoder");
    const at::Tensor loss = model_.reconstruct(features, pixels, plan, {}, wanted).loss;
    lap(parts.decoder);
    kept_bytes = allocated_bytes() - before;
    phase("backward");
    optimizer_.zero_gradients();
    torch::autograd::backward({loss}, {});
    lap(parts.backward);
    phase("update");
    optimizer_.gradient_norm();
    optimizer_.step(1e-6);
    if (teachers_ && teachers_->ema() != nullptr) {
      teachers_->ema()->follow(model_.parameters(), recipe_.targets.ema_momentum);
    }
    lap(parts.update);
    phase("");
    return parts;
  }

 private:
  std::unique_ptr<targets::Teachers> teachers_;
  const train::Recipe& recipe_;
  at::Tensor pictures_BHWC_;
  at::ScalarType compute_;
  models::MaskedAutoencoder model_;
  optim::AdamW optimizer_;
  std::vector<int64_t> ids_;
};

reference::ReferenceOptions reference_options(const train::Recipe& recipe, at::ScalarType compute) {
  reference::ReferenceOptions options;
  options.kind = encoder::kind_named(recipe.model.kind) == encoder::Kind::kVit
                     ? reference::Kind::kVit
                     : reference::Kind::kConvVit;
  options.rows = recipe.data.image_size[0];
  options.cols = recipe.data.image_size[1];
  options.channels = recipe.data.channels;
  options.strides = recipe.encoder.strides;
  options.dims = recipe.encoder.dims;
  options.depths = recipe.encoder.depths;
  options.heads = recipe.encoder.heads;
  options.mlp_ratios = recipe.encoder.mlp_ratios;
  options.decoder_dim = recipe.decoder.dim;
  options.decoder_depth = recipe.decoder.depth;
  options.decoder_heads = recipe.decoder.heads;
  options.decoder_mlp_ratio = recipe.decoder.mlp_ratio;
  options.norm_pix = recipe.targets.norm_pix;
  options.variance_epsilon = recipe.targets.variance_epsilon;
  options.compute = compute;
  return options;
}

// As the published program on PyTorch, with the fused AdamW of today.
class Reference final : public Implementation {
 public:
  Reference(const train::Recipe& recipe, const models::MaskedAutoencoder& model,
            const at::Tensor& pictures_BHWC, at::ScalarType compute)
      : recipe_(recipe), options_(reference_options(recipe, compute)) {
    for (const nn::Parameter& parameter : model.parameters().all()) {
      at::Tensor value = model.parameters().published(parameter).clone();
      weights_[parameter.name] = value.requires_grad_(parameter.trainable);
      if (!parameter.trainable) continue;
      values_.push_back(value);
      first_.push_back(at::zeros_like(value.detach()));
      second_.push_back(at::zeros_like(value.detach()));
      counts_.push_back(at::zeros({}, at::kFloat));
    }
    sizes_ = masks::view_sizes(model.grid().patches(), recipe.masks);
    kept_ = masks::kept_views(sizes_, recipe.masks);
    noise_BL_ = at::rand({pictures_BHWC.size(0), model.grid().patches()});
    images_BCHW_ = pictures_BHWC.permute({0, 3, 1, 2}).to(at::kFloat).div(255).contiguous();
  }

  Parts step() override {
    Parts parts;
    train::Stopwatch watch;
    const auto lap = [&](double& part) {
      part = watch.seconds();
      watch.restart();
    };
    const double before = allocated_bytes();
    const auto result =
        reference::forward(weights_, options_, images_BCHW_, noise_BL_, sizes_, kept_);
    lap(parts.encoder);  // the published form cannot be stopped between encoder and decoder
    kept_bytes = allocated_bytes() - before;
    torch::autograd::backward({result.loss}, {});
    lap(parts.backward);
    update();
    lap(parts.update);
    return parts;
  }

 private:
  void update() {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> gradients;
    for (at::Tensor& value : values_) gradients.push_back(value.grad());
    for (at::Tensor& count : counts_) count.add_(1);
    at::_fused_adamw_(values_, gradients, first_, second_, {}, counts_, /*lr=*/1e-6,
                      recipe_.optim.beta1, recipe_.optim.beta2, recipe_.optim.weight_decay,
                      recipe_.optim.epsilon, /*amsgrad=*/false, /*maximize=*/false);
    for (at::Tensor& value : values_) value.mutable_grad().reset();
  }

  const train::Recipe& recipe_;
  reference::ReferenceOptions options_;
  reference::Weights weights_;
  std::vector<at::Tensor> values_, first_, second_, counts_;
  std::vector<int64_t> sizes_;
  int64_t kept_ = 0;
  at::Tensor noise_BL_, images_BCHW_;
};

nlohmann::json spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {{"min", values.front()}, {"median", values[values.size() / 2]}, {"max", values.back()}};
}

double median_of(const std::vector<Parts>& timed, const std::function<double(const Parts&)>& part) {
  std::vector<double> values;
  for (const Parts& parts : timed) values.push_back(part(parts));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

nlohmann::json describe(const Implementation& implementation, bool split_forward, double batch,
                        double flops_per_image, double peak_flops) {
  std::vector<double> seconds, speeds;
  for (const Parts& parts : implementation.timed) {
    seconds.push_back(parts.whole());
    speeds.push_back(batch / parts.whole());
  }
  const auto part = [&](double Parts::*member) {
    return median_of(implementation.timed, [=](const Parts& parts) { return parts.*member; });
  };
  nlohmann::json parts = {{"backward", part(&Parts::backward)}, {"update", part(&Parts::update)}};
  if (split_forward) {
    parts["teachers"] = part(&Parts::teachers);  // pictures cut into patches included
    parts["encoder"] = part(&Parts::encoder);
    parts["decoder"] = part(&Parts::decoder);
  } else {
    parts["forward"] = part(&Parts::encoder);
  }
  const nlohmann::json speed = spread(speeds);
  return {{"images_per_second", speed},
          {"seconds_per_step", spread(seconds)},
          {"peak_memory_bytes", implementation.peak_memory},
          {"activation_bytes_per_image", implementation.kept_bytes / batch},
          {"utilisation", flops_per_image * speed.at("median").get<double>() / peak_flops},
          {"parts", parts}};
}

void time_one(Implementation& implementation, bool counts) {
  reset_peak_memory();
  const Parts parts = implementation.step();
  if (counts) implementation.timed.push_back(parts);
  implementation.peak_memory = std::max(implementation.peak_memory, train::peak_memory_bytes());
}

}  // namespace

nlohmann::json bench_step(const BenchStepRequest& request, Reporter& reporter) {
  const int64_t threads = set_up_machine(request.machine);
  train::Recipe recipe = request.recipe;
  if (!request.precision.empty()) recipe.model.precision = request.precision;
  train::check(recipe);
  const bool features = !recipe.targets.features().empty();
  if (features && request.implementation != "fast") {
    fail(ExitCode::kUsage,
         "--implementation {}: the published form has no targets but pixels, and {} has others; "
         "take fast",
         request.implementation, recipe.row.name);
  }
  const at::ScalarType compute = train::compute_type(recipe.model.precision);
  at::manual_seed(0);
  const at::Tensor pictures_BHWC = at::randint(
      256,
      {request.batch, recipe.data.image_size[0], recipe.data.image_size[1], recipe.data.channels},
      at::kByte);
  const double peak_flops = train::measure_peak_flops(compute);
  const double flops_per_image = train::training_flops(recipe);

  Fast fast(recipe, pictures_BHWC, compute);
  const int64_t parameters = fast.model().parameters().trainable_elements();
  std::unique_ptr<Reference> reference;
  if (request.implementation != "fast") {
    reference = std::make_unique<Reference>(recipe, fast.model(), pictures_BHWC, compute);
  }
  for (int64_t step = 0; step <= request.steps; ++step) {  // the first one warms up
    if (request.implementation != "reference") time_one(fast, step > 0);
    if (reference) time_one(*reference, step > 0);
    reporter.progress(fmt::format("bench step: {} of {}", step, request.steps));
  }

  nlohmann::json implementations;
  const auto batch = static_cast<double>(request.batch);
  if (!fast.timed.empty()) {
    implementations["fast"] = describe(fast, true, batch, flops_per_image, peak_flops);
  }
  if (reference) {
    implementations["reference"] = describe(*reference, false, batch, flops_per_image, peak_flops);
  }
  nlohmann::json result = {{"implementations", implementations},
                           {"batch", request.batch},
                           {"precision", train::compute_name(compute)},
                           {"threads", threads},
                           {"device", "cpu"},
                           {"peak_flops", peak_flops},
                           {"flops_per_image", flops_per_image},
                           {"parameters", parameters}};
  if (request.profile) {
    Profile profile;
    fast.profile = &profile;
    for (int64_t step = 0; step < request.steps; ++step) fast.step();
    const double copy_speed = train::measure_copy_speed();
    result["profile"] = profile.table(peak_flops, copy_speed);
    result["copy_gbytes_per_second"] = copy_speed * 1e-9;
  }
  if (implementations.size() == 2) {
    const auto median = [&](const char* name) {
      return implementations.at(name).at("images_per_second").at("median").get<double>();
    };
    result["ratio"] = median("fast") / median("reference");
  }
  return result;
}

}  // namespace fcm::tasks
