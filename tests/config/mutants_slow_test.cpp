// Reads mutants (randomly changed texts) of a recipe.
#include "fcm/config/recipe_io.h"
#include "tests/config/example.h"
#include "tests/support/mutants.h"

namespace fcm::config {
namespace {

TEST(MutantsSlow, OfARecipe) {
  const test::Series series(100'000);
  test::try_mutants(
      "recipe", test::to_bytes(kGood), ExitCode::kUsage, series, [](const auto& bytes) {
        Example example;
        Reader reader(fields_of(example));
        reader.read({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "mutant");
        reader.finish("mutant");
      });
}

}  // namespace
}  // namespace fcm::config
