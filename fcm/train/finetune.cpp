#include "fcm/train/finetune.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/optim/schedule.h"
#include "fcm/train/meters.h"
#include "fcm/train/run_log.h"
#include "fcm/train/safeguards.h"
#include "fcm/train/setup.h"

namespace fcm::train {
namespace {

class FinetuneRun {
 public:
  FinetuneRun(Learner& learner, const FinetuneRequest& request, Reporter& reporter)
      : learner_(learner),
        request_(request),
        recipe_(request.recipe),
        reporter_(reporter),
        compute_(compute_type(recipe_.model.precision, learner.device())),
        steps_per_epoch_(request.dataset->size() / recipe_.optim.batch_size),
        total_steps_(total_steps(encoder_recipe(recipe_), request.dataset->size())),
        log_(request.out / "log.jsonl"),
        curves_(request.out / "events") {}

  TrainResult run() {
    restore();
    log_.trim_to_step(counters_.step);
    if (counters_.step > 0) curves_.resume_at(counters_.step + 1);
    if (counters_.micro_batch == 0) {
      counters_.micro_batch =
          choose_micro_batch(recipe_, compute_, total_memory_bytes(learner_.device()));
    }
    TrainResult result{
        counters_.step, total_steps_, false, std::numeric_limits<double>::quiet_NaN(), 0, 0};
    if (counters_.step >= total_steps_) return result;
    peak_flops_ = measure_peak_flops(compute_, learner_.device());
    loader_ = std::make_unique<loader::Loader>(
        request_.dataset, recipe_.data, recipe_.optim.batch_size,
        static_cast<uint64_t>(recipe_.run.seed), request_.threads, counters_.step, recipe_.augment);
    watch_.restart();
    const int64_t first = counters_.step;
    window_.restart();
    while (counters_.step < total_steps_ && !result.stopped) {
      result.loss = one_step();
      if (due(recipe_.run.log_every_steps) || last()) write_step_line(result.loss);
      const bool epoch_done = due(steps_per_epoch_);
      if (epoch_done || last()) measure(epoch_done);
      result.stopped = request_.stop != nullptr && *request_.stop && !last();
      const int64_t every = recipe_.run.save_every_steps;
      if (result.stopped || last() || (every > 0 ? due(every) : epoch_done)) {
        save(checkpoints(), {recipe_.run.keep_last, recipe_.run.keep_every_steps});
      }
    }
    result.steps = counters_.step;
    result.seconds = watch_.seconds() - evaluating_seconds_;
    result.images_per_second =
        static_cast<double>((counters_.step - first) * recipe_.optim.batch_size) / result.seconds;
    return result;
  }

 private:
  bool due(int64_t every) const { return every > 0 && counters_.step % every == 0; }
  bool last() const { return counters_.step == total_steps_; }
  std::filesystem::path checkpoints() const { return request_.out / "checkpoints"; }
  std::filesystem::path best() const { return request_.out / "best"; }
  double epoch_now() const {
    return static_cast<double>(counters_.step) / static_cast<double>(steps_per_epoch_);
  }

  // Of all launches, evaluations not counted.
  double train_seconds() const { return earlier_seconds_ + watch_.seconds() - evaluating_seconds_; }

  void restore() {
    const auto found = checkpoint::load_newest(checkpoints(), true, reporter_);
    if (!found) return;
    learner_.restore(*found);
    counters_ = Counters::from_json(found->state.at("counters"));
    best_acc1_ = found->state.at("best_acc1").get<double>();
    earlier_seconds_ = found->state.at("train_seconds").get<double>();
    reporter_.info(fmt::format("resumed from {} (step {} of {})", found->path.string(),
                               counters_.step, total_steps_));
  }

  double one_step() {
    const Stopwatch waiting;
    const loader::Batch batch = loader_->next();
    window_.waited_seconds += waiting.seconds();
    note_bad_samples(batch, counters_, log_, reporter_);
    last_lr_ = optim::lr_at_step(recipe_.optim, counters_.step, steps_per_epoch_);
    const StepResult step = learner_.update(batch, counters_.micro_batch, last_lr_);
    ++counters_.step;
    window_.images += batch.batch;
    last_norm_ = step.gradient_norm;
    if (step.applied) {
      counters_.skipped_in_a_row = 0;
      counters_.window_loss += step.loss;
      counters_.epoch_loss += step.loss;
      ++counters_.window_steps;
      ++counters_.epoch_steps;
    } else {
      const auto restore = [&](const checkpoint::Checkpoint& good) { learner_.restore(good); };
      after_bad_update(step, recipe_.run, counters_, checkpoints(), restore, reporter_);
    }
    return step.loss;
  }

  void write_step_line(double last_loss) {
    const double speed = window_.images_per_second();
    const double loss = counters_.window_steps > 0
                            ? counters_.window_loss / static_cast<double>(counters_.window_steps)
                            : last_loss;
    log_.write({{"step", counters_.step},
                {"epoch", epoch_now()},
                {"loss", loss},
                {"lr", last_lr_},
                {"grad_norm", last_norm_},
                {"images_per_second", speed},
                {"train_seconds", train_seconds()},
                {"data_wait", window_.wait_share()},
                {"utilisation", training_flops(recipe_) * speed / peak_flops_},
                {"memory_bytes", peak_memory_bytes(learner_.device())},
                {"skipped_samples", counters_.bad_samples},
                {"skipped_updates", counters_.skipped},
                {"eta_seconds",
                 static_cast<double>((total_steps_ - counters_.step) * recipe_.optim.batch_size) /
                     speed}});
    curves_.add(counters_.step,
                {{"train_loss", loss}, {"lr", last_lr_}, {"images_per_second", speed}}, reporter_);
    reporter_.progress(
        fmt::format("step {}/{}  epoch {:.2f}  loss {:.4f}  lr {:.2e}  {:.1f} "
                    "images/s  data wait {:.0f} %",
                    counters_.step, total_steps_, epoch_now(), loss, last_lr_, speed,
                    100 * window_.wait_share()));
    counters_.window_loss = 0;
    counters_.window_steps = 0;
    window_.restart();
  }

  // Evaluates and writes the line of an epoch; run.max_steps may end the run inside of one.
  void measure(bool epoch_done) {
    const double loss =
        counters_.epoch_loss / static_cast<double>(std::max<int64_t>(counters_.epoch_steps, 1));
    nlohmann::json line = {{"train_lr", last_lr_},
                           {"train_loss", loss},
                           {"epoch", (counters_.step - 1) / steps_per_epoch_},
                           {"step", counters_.step},
                           {"train_seconds", train_seconds()},
                           {"n_parameters", learner_.trainable_elements()}};
    if (epoch_done) {
      counters_.epoch_loss = 0;
      counters_.epoch_steps = 0;
    }
    const Stopwatch evaluating;
    if (request_.evaluate) line.update(request_.evaluate());
    evaluating_seconds_ += evaluating.seconds();
    std::map<std::string, double> scalars;
    for (const char* key : {"train_loss", "test_loss", "test_acc1", "test_acc5"}) {
      if (line.contains(key)) scalars["epoch/" + std::string(key)] = line.at(key).get<double>();
    }
    curves_.add(counters_.step, scalars, reporter_);
    log_.write(line);
    const double acc1 = line.value("test_acc1", -1.0);
    if (acc1 > best_acc1_) {
      best_acc1_ = acc1;
      save(best(), {.keep_last = 1});
    }
    window_.restart();  // the evaluation is not training time
  }

  void save(const std::filesystem::path& folder, const checkpoint::Retention& retention) {
    log_.sync();  // what is logged up to here must not be lost if the checkpoint is not
    const PublishedTensors model = learner_.model_state();
    const PublishedTensors optimizer = learner_.optimizer_state();
    checkpoint::save(folder, counters_.step, model.views, optimizer.views,
                     {{"counters", counters_.to_json()},
                      {"optimizer_steps", learner_.updates()},
                      {"epoch", epoch_now()},
                      {"train_seconds", train_seconds()},
                      {"best_acc1", best_acc1_},
                      {"recipe", print_recipe(recipe_)}},
                     retention);
  }

  Learner& learner_;
  const FinetuneRequest& request_;
  const FinetuneRecipe& recipe_;
  Reporter& reporter_;
  at::ScalarType compute_;
  int64_t steps_per_epoch_, total_steps_;
  RunLog log_;
  Curves curves_;
  Counters counters_;
  double best_acc1_ = -1;
  Stopwatch watch_;  // of this launch
  double evaluating_seconds_ = 0, earlier_seconds_ = 0;
  std::unique_ptr<loader::Loader> loader_;
  SpeedWindow window_;
  double last_lr_ = 0, last_norm_ = 0, peak_flops_ = 1;
};

}  // namespace

TrainResult finetune(Learner& learner, const FinetuneRequest& request, Reporter& reporter) {
  return FinetuneRun(learner, request, reporter).run();
}

}  // namespace fcm::train
