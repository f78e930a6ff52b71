#include "apps/commands/commands.h"
#include "apps/recipes.h"
#include "apps/shared_flags.h"
#include "bench/bench.h"

namespace fcm::apps::commands {

Action bench_tune(Flags& flags) {
  struct Arguments {
    RecipeChoice recipe;
    bench::BenchTuneRequest bench;
  };
  const auto arguments = std::make_shared<Arguments>();
  bench::BenchTuneRequest& bench = arguments->bench;
  flags.describe(
      "Find the fastest micro-batch, precision and number of threads of a recipe on this machine",
      "Example:\n  fastconvmae bench tune --recipe fastconvmae_base_in1k_50ep --data "
      "/path/to/imagenet");
  add_recipe(flags, arguments->recipe.name).required();
  add_data(flags, bench.data);
  flags.add("--seconds", bench.seconds, {1, 1e6}, "Seconds after which no new step starts");
  add_set(flags, arguments->recipe);
  add_machine(flags, bench.machine);
  return [arguments](const Output& output) {
    bench::BenchTuneRequest& request = arguments->bench;
    request.recipe = any_recipe(arguments->recipe);
    return output.print(bench::bench_tune(request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
