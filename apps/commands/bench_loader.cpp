#include "apps/commands/commands.h"
#include "apps/recipes.h"
#include "apps/shared_flags.h"
#include "bench/bench.h"

namespace fcm::apps::commands {

Action bench_loader(Flags& flags) {
  struct Arguments {
    RecipeChoice recipe;
    bench::BenchLoaderRequest bench;
  };
  const auto arguments = std::make_shared<Arguments>();
  bench::BenchLoaderRequest& bench = arguments->bench;
  flags.describe("Images per second of the loader, compared with plain decoding of the same files",
                 "Example:\n  fastconvmae bench loader --data /path/to/imagenet --threads 1");
  add_data(flags, bench.data).required();
  flags.add(
      "--recipe", arguments->recipe.name, "NAME|FILE",
      "A segmentation or detection recipe, to load maps or objects too; default: the transform of pretraining");
  flags.add("--seconds", bench.seconds, {0.01, 1e6}, "Seconds to measure");
  add_threads(flags, bench.machine);
  return [arguments](const Output& output) {
    bench::BenchLoaderRequest& request = arguments->bench;
    if (!arguments->recipe.name.empty()) request.recipe = any_recipe(arguments->recipe);
    return output.print(bench::bench_loader(request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
