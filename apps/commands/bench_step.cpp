#include "apps/commands/commands.h"
#include "apps/recipes.h"
#include "apps/shared_flags.h"
#include "bench/bench.h"

namespace fcm::apps::commands {

Action bench_step(Flags& flags) {
  struct Arguments {
    RecipeChoice recipe;
    bench::BenchStepRequest bench;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe(
      "Time of training steps, measured alternately with steps of the reference",
      "Example:\n  fastconvmae bench step --recipe fastconvmae_base_in1k_50ep --precision fp32");
  bench::BenchStepRequest& bench = arguments->bench;
  add_recipe(flags, arguments->recipe.name).required();
  flags.add("--batch", bench.batch, {1, 1 << 20}, "Images per step");
  flags.add_choice("--precision", bench.precision, {"auto", "fp32", "bf16"},
                   "Overrides model.precision of the recipe");
  flags.add_choice("--implementation", bench.implementation, {"fast", "reference", "both"},
                   "What to measure");
  flags.add("--steps", bench.steps, {1, 1 << 20}, "Timed steps of each implementation");
  flags.add("--profile", bench.profile,
            "Profile the same number of additional steps, operator by operator");
  flags.add("--timeline", bench.timeline, "FILE.svg",
            "Draw when the gradients of a step are all-reduced, as SVG (processes on several "
            "machines)");
  add_set(flags, arguments->recipe);
  add_machine(flags, bench.machine);
  add_cuda_graph(flags, bench.machine);
  return [arguments](const Output& output) {
    bench::BenchStepRequest& request = arguments->bench;
    request.recipe = any_recipe(arguments->recipe);
    request.machine.group = output.group;
    return output.print(bench::bench_step(request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
