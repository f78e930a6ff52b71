#include "apps/commands/commands.h"
#include "apps/shared_flags.h"
#include "bench/bench.h"

namespace fcm::apps::commands {

Action bench_knn(Flags& flags) {
  const auto request = std::make_shared<bench::BenchKnnRequest>();
  flags.describe("Speed of a kNN search among random features",
                 "Example:\n  fastconvmae bench knn --bank 50000 --queries 10000 --width 768");
  flags.add("--bank", request->bank, {1, kMany}, "Features in the bank, with labels");
  flags.add("--queries", request->queries, {1, kMany}, "Queries, the features to classify");
  flags.add("--width", request->width, {1, kMany}, "Width of a feature");
  flags.add("--k", request->k, {1, kMany}, "Neighbours that vote");
  add_threads(flags, request->machine);
  return [request](const Output& output) {
    return output.print(bench::bench_knn(*request, output.reporter));
  };
}

}  // namespace fcm::apps::commands
