#include "fcm/train/trainer.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/optim/adamw.h"
#include "fcm/optim/schedule.h"
#include "fcm/train/meters.h"
#include "fcm/train/queued_update.h"
#include "fcm/train/run_log.h"
#include "fcm/train/safeguards.h"
#include "fcm/train/setup.h"
#include "fcm/train/state.h"
#include "fcm/train/step.h"

namespace fcm::train {
namespace {

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(seconds, 0.0));
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

class Run {
 public:
  Run(models::MaskedAutoencoder& model, const TrainRequest& request, Reporter& reporter)
      : model_(model),
        request_(request),
        recipe_(request.recipe),
        reporter_(reporter),
        optimizer_(model.parameters(), recipe_.optim),
        compute_(compute_type(recipe_.model.precision, model.device())),
        steps_per_epoch_(request.dataset->size() / recipe_.optim.batch_size),
        total_steps_(total_steps(recipe_, request.dataset->size())),
        log_(request.out / "log.jsonl"),
        curves_(request.out / "events") {}

  TrainResult run() {
    restore();
    log_.trim_to_step(counters_.step);
    if (counters_.step > 0) curves_.resume_at(counters_.step + 1);
    if (counters_.micro_batch == 0) {
      counters_.micro_batch =
          choose_micro_batch(recipe_, compute_, total_memory_bytes(model_.device()));
    }
    TrainResult result{
        counters_.step, total_steps_, false, std::numeric_limits<double>::quiet_NaN(), 0, 0};
    if (counters_.step >= total_steps_) return result;
    peak_flops_ = measure_peak_flops(compute_, model_.device());
    if (request_.queued && ema() == nullptr) {
      queued_ = std::make_unique<QueuedUpdate>(model_, optimizer_, recipe_, compute_,
                                               counters_.micro_batch, request_.teachers,
                                               request_.record ? request_.record() : nullptr);
    }
    loader_ =
        std::make_unique<loader::Loader>(request_.dataset, recipe_.data, recipe_.optim.batch_size,
                                         seed(), request_.threads, counters_.step);
    const Stopwatch watch;
    const int64_t first = counters_.step;
    window_.restart();
    while (counters_.step < total_steps_ && !result.stopped) {
      while (may_begin()) begin_step();
      result.loss = finish_step();
      if (due(recipe_.run.log_every_steps) || last()) write_step_line(result.loss);
      const bool epoch_done = due(steps_per_epoch_);
      if (epoch_done) write_epoch_line();
      result.stopped = begun_.empty() && is_to_stop() && !last();
      if (result.stopped || last() || save_due(counters_.step)) save();
      if (request_.draw_pictures && (last() || due(recipe_.run.pictures_every_steps))) {
        request_.draw_pictures(model_, counters_.step);
      }
    }
    result.steps = counters_.step;
    result.seconds = watch.seconds();
    result.images_per_second =
        static_cast<double>((counters_.step - first) * recipe_.optim.batch_size) / result.seconds;
    return result;
  }

 private:
  uint64_t seed() const { return static_cast<uint64_t>(recipe_.run.seed); }
  static bool due(int64_t every, int64_t step) { return every > 0 && step % every == 0; }
  bool due(int64_t every) const { return due(every, counters_.step); }
  bool save_due(int64_t step) const {
    const int64_t every = recipe_.run.save_every_steps;
    return due(every > 0 ? every : steps_per_epoch_, step);
  }
  bool is_to_stop() const { return request_.stop != nullptr && *request_.stop; }
  bool last() const { return counters_.step == total_steps_; }
  std::filesystem::path checkpoints() const { return request_.out / "checkpoints"; }

  targets::EmaTeacher* ema() const {
    return request_.teachers == nullptr ? nullptr : request_.teachers->ema();
  }
  nn::Parameters* ema_parameters() const { return ema() ? &ema()->parameters() : nullptr; }

  void restore() {
    if (ema() != nullptr) ema()->start_from(model_.parameters());
    auto found = checkpoint::load_newest(checkpoints(), true, reporter_);
    if (!found && !request_.start_from.empty()) {
      found = checkpoint::load(request_.start_from, true, reporter_);
    }
    if (!found) return;
    load_training_state(model_.parameters(), optimizer_, ema_parameters(), *found);
    if (found->state.contains("counters")) {
      counters_ = Counters::from_json(found->state.at("counters"));
    } else {  // of a published program, which saves at the end of an epoch
      counters_.step = (found->state.at("published_epoch").get<int64_t>() + 1) * steps_per_epoch_;
    }
    scaler_ = found->state.value("scaler", nlohmann::json());
    reporter_.info(fmt::format("resumed from {} (step {} of {})", found->path.string(),
                               counters_.step, total_steps_));
  }

  // A step that has its batch; the update of a queued one is given, its result not read.
  struct Begun {
    loader::Batch batch;  // of a queued one without its pictures
    double lr, waited_seconds;
  };

  // Another step may begin while none is unfinished, and a queued one while one is, but not where
  // weights and counters have to be those of a finished step: to save, to look at the model, to go
  // back.
  bool may_begin() const {
    if (begun_.empty()) return true;
    const int64_t step = counters_.step + 1;  // of the one that has begun
    const bool may_go_back = counters_.skipped_in_a_row + 1 >= recipe_.run.max_skipped_in_a_row;
    const bool looked_at = save_due(step) || due(steps_per_epoch_, step) ||
                           due(recipe_.run.pictures_every_steps, step);
    return queued_ != nullptr && begun_.size() == 1 && step < total_steps_ && !looked_at &&
           !may_go_back && !is_to_stop();
  }

  void begin_step() {
    const Stopwatch waiting;
    Begun begun{loader_->next(), 0, 0};
    begun.waited_seconds = waiting.seconds();
    const int64_t steps_before = counters_.step + static_cast<int64_t>(begun_.size());
    begun.lr = optim::lr_at_step(recipe_.optim, steps_before, steps_per_epoch_);
    if (queued_) {
      queued_->give(begun.batch, begun.lr);
      begun.batch.pixels_BHWC = {};
    }
    begun_.push_back(std::move(begun));
  }

  double finish_step() {
    const Begun begun = std::move(begun_.front());
    begun_.pop_front();
    const auto& [batch, lr, waited_seconds] = begun;
    window_.waited_seconds += waited_seconds;
    note_bad_samples(batch, counters_, log_, reporter_);
    const StepResult step = queued_ ? queued_->read()
                                    : update(model_, optimizer_, batch, recipe_, compute_,
                                             counters_.micro_batch, lr, request_.teachers);
    if (step.applied && ema() != nullptr) {
      ema()->follow(model_.parameters(),
                    targets::ema_momentum(recipe_.targets, counters_.step, steps_of_all_epochs()));
    }
    ++counters_.step;
    window_.images += batch.batch;
    last_lr_ = lr;
    last_norm_ = step.gradient_norm;
    if (step.applied) {
      counters_.skipped_in_a_row = 0;
      counters_.window_loss += step.loss;
      counters_.epoch_loss += step.loss;
      ++counters_.window_steps;
      ++counters_.epoch_steps;
      for (const auto& [name, loss] : step.target_losses) {
        counters_.window_target_losses[name] += loss;
        counters_.epoch_target_losses[name] += loss;
      }
      ema_spread_ = step.ema_spread;
    } else {
      const auto restore = [&](const checkpoint::Checkpoint& good) {
        load_training_state(model_.parameters(), optimizer_, ema_parameters(), good);
      };
      after_bad_update(step, recipe_.run, counters_, checkpoints(), restore, reporter_);
    }
    return step.loss;
  }

  // Where the schedules end, whether or not run.max_steps stops earlier.
  int64_t steps_of_all_epochs() const {
    return std::llround(recipe_.optim.epochs * static_cast<double>(steps_per_epoch_));
  }

  // Adds the mean of each target's losses under its name behind `prefix`.
  static void add_target_losses(nlohmann::json& line, const std::string& prefix,
                                const std::map<std::string, double>& sums, int64_t steps) {
    for (const auto& [name, sum] : sums) {
      line[prefix + name] = sum / static_cast<double>(std::max<int64_t>(steps, 1));
    }
  }

  // An average that makes the same of every patch is a target that teaches nothing.
  void note_spread(nlohmann::json& line) {
    constexpr double kCollapsed = 0.05;
    if (!ema_spread_) return;
    line["ema_spread"] = ema_spread_->mean;
    line["ema_least_spread"] = ema_spread_->least;
    if (ema_spread_->mean >= kCollapsed || warned_of_collapse_) return;
    warned_of_collapse_ = true;
    reporter_.warn(fmt::format(
        "step {}: the moving average makes nearly the same of every patch (deviation {:.3g} over "
        "patches, mean of all dimensions); its targets have collapsed. Give targets.rgb more "
        "weight, or raise targets.ema_momentum",
        counters_.step, ema_spread_->mean));
  }

  double epoch_now() const {
    return static_cast<double>(counters_.step) / static_cast<double>(steps_per_epoch_);
  }

  void write_step_line(double last_loss) {
    const double speed = window_.images_per_second();
    const double loss = counters_.window_steps > 0
                            ? counters_.window_loss / static_cast<double>(counters_.window_steps)
                            : last_loss;
    const double eta =
        static_cast<double>((total_steps_ - counters_.step) * recipe_.optim.batch_size) / speed;
    nlohmann::json line = {{"step", counters_.step},
                           {"epoch", epoch_now()},
                           {"loss", loss},
                           {"lr", last_lr_},
                           {"grad_norm", last_norm_},
                           {"images_per_second", speed},
                           {"data_wait", window_.wait_share()},
                           {"utilisation", training_flops(recipe_) * speed / peak_flops_},
                           {"memory_bytes", peak_memory_bytes(model_.device())},
                           {"skipped_samples", counters_.bad_samples},
                           {"skipped_updates", counters_.skipped},
                           {"eta_seconds", eta}};
    std::map<std::string, double> scalars = {
        {"train_loss", loss}, {"lr", last_lr_}, {"images_per_second", speed}};
    nlohmann::json of_targets = nlohmann::json::object();
    add_target_losses(of_targets, "loss_", counters_.window_target_losses, counters_.window_steps);
    note_spread(of_targets);
    for (const auto& [key, value] : of_targets.items()) {
      line[key] = value;
      scalars["train_" + key] = value.get<double>();
    }
    log_.write(line);
    curves_.add(counters_.step, scalars, reporter_);
    reporter_.progress(
        fmt::format("step {}/{}  epoch {:.2f}  loss {:.4f}  lr {:.2e}  {:.1f} images/s  data wait "
                    "{:.0f} %  left {}",
                    counters_.step, total_steps_, epoch_now(), loss, last_lr_, speed,
                    100 * window_.wait_share(), clock_text(eta)));
    counters_.window_loss = 0;
    counters_.window_steps = 0;
    counters_.window_target_losses.clear();
    window_.restart();
  }

  void write_epoch_line() {
    const int64_t epoch = counters_.step / steps_per_epoch_ - 1;  // published: counted from 0
    const double loss =
        counters_.epoch_loss / static_cast<double>(std::max<int64_t>(counters_.epoch_steps, 1));
    nlohmann::json line = {
        {"train_lr", last_lr_}, {"train_loss", loss}, {"epoch", epoch}, {"step", counters_.step}};
    add_target_losses(line, "train_loss_", counters_.epoch_target_losses, counters_.epoch_steps);
    if (request_.at_epoch_end) line.update(request_.at_epoch_end(model_, epoch));
    std::map<std::string, double> scalars;
    for (const auto& [key, value] : line.items()) {
      if (key != "epoch" && key != "step" && value.is_number()) {
        scalars["epoch/" + key] = value.get<double>();
      }
    }
    curves_.add(counters_.step, scalars, reporter_);
    log_.write(line);
    counters_.epoch_loss = 0;
    counters_.epoch_steps = 0;
    counters_.epoch_target_losses.clear();
    window_.restart();  // the check at the end of the epoch is not training time
  }

  void save() {
    log_.sync();  // what is logged up to here must not be lost if the checkpoint is not
    const PublishedTensors model = model_tensors(model_.parameters());
    PublishedTensors optimizer = optimizer_tensors(model_.parameters(), optimizer_);
    if (ema() != nullptr) add_ema(optimizer, ema()->parameters());
    nlohmann::json state = {{"counters", counters_.to_json()},
                            {"optimizer_steps", optimizer_.steps()},
                            {"epoch", epoch_now()},
                            {"recipe", print_recipe(recipe_)}};
    if (!scaler_.is_null()) state["scaler"] = scaler_;
    checkpoint::save(checkpoints(), counters_.step, model.views, optimizer.views, state,
                     {recipe_.run.keep_last, recipe_.run.keep_every_steps});
  }

  models::MaskedAutoencoder& model_;
  const TrainRequest& request_;
  const Recipe& recipe_;
  Reporter& reporter_;
  optim::AdamW optimizer_;
  at::ScalarType compute_;
  int64_t steps_per_epoch_, total_steps_;
  RunLog log_;
  Curves curves_;
  Counters counters_;
  // Of a published program's half precision, which there is none of here: kept for its next run.
  nlohmann::json scaler_;
  std::unique_ptr<QueuedUpdate> queued_;  // nullptr: update() does it
  std::unique_ptr<loader::Loader> loader_;
  std::deque<Begun> begun_;
  SpeedWindow window_;
  std::optional<targets::Spread> ema_spread_;  // of the last applied step
  bool warned_of_collapse_ = false;
  double last_lr_ = 0, last_norm_ = 0, peak_flops_ = 1;
};

}  // namespace

int64_t total_steps(const Recipe& recipe, int64_t dataset_size) {
  const int64_t steps_per_epoch = dataset_size / recipe.optim.batch_size;
  if (steps_per_epoch == 0) {
    fail(ExitCode::kData,
         "the data set has {} pictures, fewer than one batch of {}; lower optim.batch_size",
         dataset_size, recipe.optim.batch_size);
  }
  const int64_t steps = std::llround(recipe.optim.epochs * static_cast<double>(steps_per_epoch));
  return recipe.run.max_steps > 0 ? std::min(recipe.run.max_steps, steps) : steps;
}

TrainResult train(models::MaskedAutoencoder& model, const TrainRequest& request,
                  Reporter& reporter) {
  return Run(model, request, reporter).run();
}

}  // namespace fcm::train
