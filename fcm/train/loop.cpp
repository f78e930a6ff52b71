#include "fcm/train/loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/progress.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/until_stopped.h"
#include "fcm/ops/peak/peak.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/optim/schedule.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/execution/eager.h"
#include "fcm/train/meters.h"
#include "fcm/train/rank_speeds.h"
#include "fcm/train/records.h"
#include "fcm/train/safeguards.h"
#include "fcm/train/state.h"
#include "fcm/train/update_memory.h"

namespace fcm::train {
namespace {

// NaN for a count of 0; the log writes it as null.
double mean(double sum, int64_t count) {
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  return sum / static_cast<double>(count);
}

// Adds the mean loss of each target, under `prefix` + its name.
void add_target_losses(nlohmann::json& line, const std::string& prefix,
                       const std::map<std::string, double>& sums, int64_t steps) {
  for (const auto& [name, sum] : sums) line[prefix + name] = mean(sum, steps);
}

class Loop {
 public:
  Loop(Learner& learner, const TrainRequest& request, Reporter& reporter)
      : learner_(learner),
        request_(request),
        recipe_(request.recipe),
        group_(*request.group),
        reporter_(reporter),
        compute_(recipe::compute_type(recipe_.model.precision, learner.device())),
        steps_per_epoch_(request.dataset->size() / recipe_.optim.batch_size),
        total_steps_(total_steps(recipe_, request.dataset->size())),
        records_(request.out, group_.writes()) {}

  TrainResult run() {
    restore();
    records_.resume_from(counters_.step);
    TrainResult result{
        counters_.step, total_steps_, false, std::numeric_limits<double>::quiet_NaN(), 0, 0};
    if (counters_.step >= total_steps_ && !unmeasured_) {
      say_finished();
      return result;
    }
    prepare();
    const int64_t first = counters_.step;
    watch_.restart();
    restart_window();
    since_save_.restart();
    if (agreed_wish() == Wish::kStop) {  // nothing to save before the first step
      result.stopped = true;
      return result;
    }
    if (unmeasured_) {
      last_lr_ = optim::lr_at_step(recipe_.optim, counters_.step - 1, steps_per_epoch_);
      measure(measure_due(counters_.step));
      result.stopped = unmeasured_;
      if (!unmeasured_) save(last());
      if (unmeasured_ || last()) return result;
    }
    while (counters_.step < total_steps_ && !result.stopped) {
      while (may_begin()) begin_step();
      result.loss = finish_step();
      if (due(recipe_.run.log_every_steps) || last()) write_step_line(result.loss);
      const bool is_due = measure_due(counters_.step);
      if (is_due || (last() && request_.measures_last_step)) measure(is_due);
      wish_ = agreed_wish();
      if (unmeasured_) wish_ = Wish::kStop;
      const bool idle = steps_in_flight_.empty();
      result.stopped = idle && wish_ == Wish::kStop && (!last() || unmeasured_);
      const bool overdue = idle && wish_ == Wish::kSave;
      if (result.stopped || last() || overdue || save_due(counters_.step)) {
        save(result.stopped || last());
      }
      if (request_.draw_images && (last() || due(recipe_.run.images_every_steps))) draw();
    }
    result.steps = counters_.step;
    result.seconds = watch_.seconds() - measuring_seconds_;
    result.images_per_second =
        static_cast<double>((counters_.step - first) * recipe_.optim.batch_size) / result.seconds;
    return result;
  }

 private:
  static bool due(int64_t every, int64_t step) { return every > 0 && step % every == 0; }
  bool due(int64_t every) const { return due(every, counters_.step); }
  int64_t save_every() const {
    return recipe_.run.save_every_steps > 0 ? recipe_.run.save_every_steps : steps_per_epoch_;
  }
  bool save_due(int64_t step) const { return due(save_every(), step); }
  // What the ranks do once no step is in flight. The larger wish of two ranks counts.
  enum class Wish : int64_t { kContinue, kSave, kStop };
  Wish agreed_wish() {
    Wish mine = Wish::kContinue;
    if (group_.writes() && save_is_overdue()) mine = Wish::kSave;
    if (request_.stop != nullptr && *request_.stop) mine = Wish::kStop;
    return Wish{group_.agree(static_cast<int64_t>(mine), dist::Agree::kMax)};
  }
  bool save_is_overdue() const {
    return recipe_.run.save_every_steps == 0 &&
           since_save_.seconds() >= request_.save_interval.after(save_seconds_);
  }
  bool last() const { return counters_.step == total_steps_; }
  double epoch_now() const {
    return static_cast<double>(counters_.step) / static_cast<double>(steps_per_epoch_);
  }
  // The step at which the schedules end, even if run.max_steps stops the run earlier.
  int64_t scheduled_steps() const { return optim::steps_of_run(recipe_.optim, steps_per_epoch_); }
  bool measure_due(int64_t step) const {
    const int64_t every = recipe_.run.measure_every_steps;
    return due(every > 0 ? every : steps_per_epoch_, step);
  }
  // The training time of all launches, without the time of measurements.
  double train_seconds() const { return earlier_seconds_ + watch_.seconds() - measuring_seconds_; }

  void restore() {
    std::optional<checkpoint::Checkpoint> newest = newest_of(records_, group_, reporter_);
    const checkpoint::Checkpoint* found = newest ? &*newest : request_.start_from;
    if (found == nullptr) return;
    learner_.restore(*found);
    const nlohmann::json& state = found->state;
    if (state.contains("counters")) {
      counters_ = Counters::from_json(state.at("counters"));
    } else {  // an upstream checkpoint, saved at the end of an epoch
      counters_.step = (state.at("published_epoch").get<int64_t>() + 1) * steps_per_epoch_;
    }
    earlier_seconds_ = state.value("train_seconds", 0.0);
    unmeasured_ = newest && state.value("unmeasured", false);
    if (const auto best = state.find("best_acc1"); best != state.end() && newest) {
      best_ = eval::Metric{"test_acc1", best->get<double>()};  // as earlier versions wrote it
    }
    if (const auto best = state.find("best"); best != state.end() && newest) {
      best_ = eval::Metric{best->at("name"), best->at("value"), best->at("higher_is_better")};
    }
    reporter_.info(fmt::format("resumed from {} (step {} of {})", found->path.string(),
                               counters_.step, total_steps_));
  }

  void prepare() {
    if (counters_.micro_batch == 0) {
      const double memory = memory_for_images(recipe_, learner_.trainable_elements(),
                                              learner_.device(), group_.ranks_here());
      counters_.micro_batch =
          group_.agree(recipe::choose_micro_batch(recipe_, compute_, memory), dist::Agree::kMin);
    }
    peak_flops_ = ops::peak_flops(compute_, learner_.device()) * static_cast<double>(group_.size());
    // Reference ops may wait for the device, so a step cannot be enqueued ahead or recorded.
    const bool queued = request_.queued && !recipe_.debug.reference_ops;
    if (queued) execution_ = learner_.make_queued_execution(counters_.micro_batch, request_.record);
    if (!execution_) execution_ = std::make_unique<EagerExecution>(learner_);
    loader::LoaderRequest wanted{.dataset = request_.dataset,
                                 .data = recipe_.data,
                                 .batch_size = recipe_.optim.batch_size,
                                 .seed = static_cast<uint64_t>(recipe_.run.seed),
                                 .threads = request_.threads,
                                 .first_step = counters_.step,
                                 .slice = {group_.rank(), group_.size()}};
    learner_.configure_loader(wanted);
    loader_ = std::make_unique<loader::Loader>(std::move(wanted));
  }

  void say_finished() {
    const bool beyond = counters_.step > total_steps_;
    reporter_.info(fmt::format(
        "{} is finished: {} done{}", request_.out.string(),
        counted(counters_.step, "step is", "steps are"),
        beyond ? fmt::format(", more than the {} of this recipe; nothing is trained or undone",
                             total_steps_)
               : std::string()));
  }

  // A step that was enqueued and whose result has not been read.
  struct StepInFlight {
    int64_t images = 0, own_images = 0;  // of all ranks, of this rank
    std::vector<loader::BadSample> bad;
    double lr = 0, waited_seconds = 0;
  };

  // Whether the next step may be enqueued. A step may be enqueued before the one in flight has
  // finished, unless a save, a measurement, a sheet or a roll-back may follow the step in flight:
  // these need the weights and counters as that step leaves them.
  bool may_begin() const {
    if (steps_in_flight_.empty()) return true;
    const int64_t step = counters_.step + 1;  // the one in flight
    const bool weights_are_needed =
        save_due(step) || measure_due(step) || due(recipe_.run.images_every_steps, step);
    return std::ssize(steps_in_flight_) < execution_->max_in_flight() && step < total_steps_ &&
           !weights_are_needed && !may_roll_back(recipe_.run, counters_) &&
           wish_ == Wish::kContinue;
  }

  void begin_step() {
    const Stopwatch waiting;
    const double for_ranks = group_.waited_seconds();
    loader::Batch batch = next_batch(*loader_, group_);
    StepInFlight begun{batch.global_batch, batch.batch, std::move(batch.bad), 0,
                       waiting.seconds() - (group_.waited_seconds() - for_ranks)};
    const int64_t steps_before = counters_.step + std::ssize(steps_in_flight_);
    const optim::Rate rate = optim::rate_at_step(recipe_.optim, steps_before, steps_per_epoch_);
    begun.lr = rate.lr;
    execution_->enqueue(std::move(batch), {rate.lr, counters_.micro_batch, steps_before,
                                           scheduled_steps(), rate.common});
    steps_in_flight_.push_back(std::move(begun));
  }

  double finish_step() {
    const StepInFlight begun = std::move(steps_in_flight_.front());
    steps_in_flight_.pop_front();
    window_.waited_seconds += begun.waited_seconds;
    note_bad_samples(begun.bad, counters_, records_, reporter_);
    const StepResult step = execution_->wait_result();
    ++counters_.step;
    window_.images += begun.images;
    own_images_ += begun.own_images;
    last_lr_ = begun.lr;
    last_norm_ = step.gradient_norm;
    if (!step.applied) {
      after_skipped_step(step, recipe_.run, learner_, counters_, records_, group_, reporter_);
      return step.loss;
    }
    after_update(step, recipe_.run, learner_, counters_, records_, group_, reporter_);
    counters_.window_loss += step.loss;
    counters_.epoch_loss += step.loss;
    ++counters_.window_steps;
    ++counters_.epoch_steps;
    for (const auto& [name, loss] : step.target_losses) {
      counters_.window_target_losses[name] += loss;
      counters_.epoch_target_losses[name] += loss;
    }
    return step.loss;
  }

  void write_step_line(double last_loss) {
    const double speed = window_.images_per_second();
    const double loss = counters_.window_steps > 0
                            ? mean(counters_.window_loss, counters_.window_steps)
                            : last_loss;
    const double eta =
        static_cast<double>((total_steps_ - counters_.step) * recipe_.optim.batch_size) / speed;
    nlohmann::json of_learner = nlohmann::json::object();
    add_target_losses(of_learner, "loss_", counters_.window_target_losses, counters_.window_steps);
    learner_.add_to_step_line(of_learner, counters_.step, reporter_);
    nlohmann::json line = {{"step", counters_.step},
                           {"epoch", epoch_now()},
                           {"loss", loss},
                           {"lr", last_lr_},
                           {"grad_norm", last_norm_},
                           {"images_per_second", speed},
                           {"data_wait", window_.wait_share()},
                           {"utilisation", recipe::training_flops(recipe_) * speed / peak_flops_},
                           {"memory_bytes", peak_memory_bytes(learner_.device())},
                           {"skipped_samples", counters_.bad_samples},
                           {"skipped_updates", counters_.skipped},
                           {"eta_seconds", eta}};
    if (request_.logs_totals) line["train_seconds"] = train_seconds();
    line.update(rank_speeds(
        group_, {own_images_, window_.watch.seconds(), group_.waited_seconds() - waited_before_}));
    line.update(of_learner);
    std::map<std::string, double> curves = {
        {"train_loss", loss}, {"lr", last_lr_}, {"images_per_second", speed}};
    for (const auto& [key, value] : of_learner.items()) curves["train_" + key] = value;
    records_.add_line(line, reporter_);
    records_.add_curves(counters_.step, curves, reporter_);
    reporter_.progress(
        fmt::format("step {}/{}  epoch {:.2f}  loss {:.4f}  lr {:.2e}  {:.1f} images/s  data wait "
                    "{:.0f} %  left {}",
                    counters_.step, total_steps_, epoch_now(), loss, last_lr_, speed,
                    100 * window_.wait_share(), clock_text(eta)));
    counters_.window_loss = 0;
    counters_.window_steps = 0;
    counters_.window_target_losses.clear();
    restart_window();
  }

  void restart_window() {
    window_.restart();
    own_images_ = 0;
    waited_before_ = group_.waited_seconds();
  }

  // False: the user asked to stop during the measurement.
  bool try_to_measure(int64_t epoch, Measured& measured) const {
    try {
      if (request_.measure) measured = request_.measure(epoch);
      return true;
    } catch (const loader::StopRequested&) {
      return false;
    }
  }

  // Measures, and writes the line of an epoch. `is_due`: the run is at a multiple of
  // run.measure_every_steps or, if that is 0, at the end of an epoch; the losses of the next such
  // line then start from zero.
  void measure(bool is_due) {
    const int64_t epoch = (counters_.step - 1) / steps_per_epoch_;  // counted from 0, as upstream
    nlohmann::json line = {{"train_lr", last_lr_},
                           {"train_loss", mean(counters_.epoch_loss, counters_.epoch_steps)},
                           {"epoch", epoch},
                           {"step", counters_.step}};
    if (request_.logs_totals) {
      line["train_seconds"] = train_seconds();
      line["n_parameters"] = learner_.trainable_elements();
    }
    add_target_losses(line, "train_loss_", counters_.epoch_target_losses, counters_.epoch_steps);
    const Stopwatch measuring;
    Measured measured;
    unmeasured_ = group_.any(!try_to_measure(epoch, measured));
    measuring_seconds_ += measuring.seconds();
    if (unmeasured_) return;
    if (is_due) {
      counters_.epoch_loss = 0;
      counters_.epoch_steps = 0;
      counters_.epoch_target_losses.clear();
    }
    line.update(measured.line);
    std::map<std::string, double> curves;
    for (const auto& [key, value] : line.items()) {
      if (key != "epoch" && key != "step" && value.is_number()) curves["epoch/" + key] = value;
    }
    records_.add_curves(counters_.step, curves, reporter_);
    records_.add_line(line, reporter_);
    if (measured.metric && (!best_ || measured.metric->better_than(*best_))) {
      const std::optional<eval::Metric> before = std::exchange(best_, measured.metric);
      learner_.begin_saving();
      const bool saved = attempt([&] { records_.save_best(counters_.step, learner_, state()); });
      learner_.end_saving();
      if (!group_.all(saved)) best_ = before;
    }
    restart_window();  // measuring is not training time
  }

  nlohmann::json state() const {
    nlohmann::json state = learner_.extra_state();
    state.update(request_.extra_state);
    state["counters"] = counters_.to_json();
    state["optimizer_steps"] = learner_.updates();
    state["epoch"] = epoch_now();
    state["train_seconds"] = train_seconds();
    state["recipe"] = recipe::print_recipe(recipe_);
    if (unmeasured_) state["unmeasured"] = true;
    if (best_) {
      state["best"] = {{"name", best_->name},
                       {"value", best_->value},
                       {"higher_is_better", best_->higher_is_better}};
    }
    return state;
  }

  // If the last save of a launch fails, it is retried at once; after any other failed save, the
  // next attempt is the next scheduled save.
  void save(bool ends) {
    const auto one = [&] {
      records_.save(counters_.step, learner_, state(),
                    {recipe_.run.keep_last, recipe_.run.keep_every_steps, save_every()});
    };
    const Stopwatch saving;
    learner_.begin_saving();
    while (!attempt(one) && ends) continue;
    learner_.end_saving();
    save_seconds_ = saving.seconds();
    since_save_.restart();
    if (wish_ == Wish::kSave) wish_ = Wish::kContinue;
  }

  // Whether a save succeeded. A disk that is full for a while does not end the run, because earlier
  // checkpoints stay valid; only the third failure in a row is an error.
  bool attempt(const std::function<void()>& one_save) {
    constexpr int64_t kFailures = 3;
    try {
      one_save();
      failed_saves_ = 0;
      return true;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kCheckpoint || ++failed_saves_ == kFailures) throw;
      reporter_.warn(fmt::format(
          "step {}: {}; earlier checkpoints are safe and training continues (failure {}, "
          "the run ends at {} in a row)",
          counters_.step, error.what(), failed_saves_, kFailures));
      return false;
    }
  }

  // A sheet that cannot be drawn does not end the run.
  void draw() {
    if (!group_.writes()) return;
    try {
      request_.draw_images(counters_.step);
    } catch (const Error& error) {
      reporter_.warn(fmt::format("step {}: no sheet drawn: {}", counters_.step, error.what()));
    }
  }

  Learner& learner_;
  const TrainRequest& request_;
  const recipe::Recipe& recipe_;
  dist::Group& group_;
  Reporter& reporter_;
  at::ScalarType compute_;
  int64_t steps_per_epoch_, total_steps_;
  Records records_;
  Counters counters_;
  std::optional<eval::Metric> best_;
  std::unique_ptr<Execution> execution_;
  std::unique_ptr<loader::Loader> loader_;
  std::deque<StepInFlight> steps_in_flight_;
  Wish wish_ = Wish::kContinue;
  bool unmeasured_ = false;   // the user asked to stop during the last measurement
  int64_t failed_saves_ = 0;  // in a row
  Stopwatch since_save_;      // since the end of the last save
  double save_seconds_ = 0;   // duration of the last save
  Stopwatch watch_;           // of this launch
  double measuring_seconds_ = 0, earlier_seconds_ = 0;
  SpeedWindow window_;
  int64_t own_images_ = 0;    // in the window
  double waited_before_ = 0;  // group_.waited_seconds() at the start of the window
  double last_lr_ = 0, last_norm_ = 0, peak_flops_ = 1;
};

}  // namespace

int64_t total_steps(const recipe::Recipe& recipe, int64_t dataset_size) {
  const int64_t steps_per_epoch = dataset_size / recipe.optim.batch_size;
  if (steps_per_epoch == 0) {
    fail(ExitCode::kData, "the data set has {}, fewer than one batch of {}; lower optim.batch_size",
         counted(dataset_size, "image", "images"), recipe.optim.batch_size);
  }
  const int64_t steps = optim::steps_of_run(recipe.optim, steps_per_epoch);
  return recipe.run.max_steps > 0 ? std::min(recipe.run.max_steps, steps) : steps;
}

TrainResult train(Learner& learner, const TrainRequest& request, Reporter& reporter) {
  const ops::ReferenceOps reference(request.recipe.debug.reference_ops);
  return Loop(learner, request, reporter).run();
}

}  // namespace fcm::train
