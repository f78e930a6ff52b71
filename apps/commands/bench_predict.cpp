#include "apps/commands/commands.h"
#include "apps/recipes.h"
#include "apps/shared_flags.h"
#include "bench/bench.h"

namespace fcm::apps::commands {

Action bench_predict(Flags& flags) {
  struct Arguments {
    RecipeChoice recipe;
    bench::BenchPredictRequest bench;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Time from an image to its class map or its objects, compared with the reference",
                 "Example:\n  fastconvmae bench predict --recipe upernet_convvit_base_ade20k_160k");
  bench::BenchPredictRequest& bench = arguments->bench;
  add_recipe(flags, arguments->recipe.name).required();
  flags.add("--rows", bench.size[0], {1, 1 << 14}, "Rows of the image");
  flags.add("--cols", bench.size[1], {1, 1 << 14}, "Columns of the image");
  flags.add_choice("--precision", bench.precision, {"auto", "fp32", "bf16"},
                   "Overrides model.precision of the recipe");
  flags.add_choice("--implementation", bench.implementation, {"fast", "reference", "both"},
                   "What to measure");
  flags.add("--rounds", bench.rounds, {1, 1 << 20}, "Timed images of each implementation");
  add_set(flags, arguments->recipe);
  add_machine(flags, bench.machine);
  return [arguments](const Output& output) {
    bench::BenchPredictRequest& request = arguments->bench;
    request.recipe = any_recipe(arguments->recipe);
    return output.print(bench::bench_predict(request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
