#include "fcm/base/processor.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "fcm/base/error.h"

namespace fcm {
namespace {

constexpr ProcessorClass kAll[] = {ProcessorClass::kPlain, ProcessorClass::kAvx2,
                                   ProcessorClass::kAvx512, ProcessorClass::kAvx512Bf16,
                                   ProcessorClass::kAmx};

std::string fault_of(const std::string& name) {
  try {
    processor_class_named(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return {};
}

TEST(Processor, AClassIsFoundByItsNameAndOneThatIsMissingIsRefused) {
  bool missing = false;
  for (const ProcessorClass processor : kAll) {
    EXPECT_TRUE(!missing || !can_run(processor))
        << name_of(processor) << " can run, but a lower class cannot";
    missing = !can_run(processor);
    if (missing) {
      EXPECT_NE(fault_of(name_of(processor)).find("at most"), std::string::npos);
    } else {
      EXPECT_EQ(processor_class_named(name_of(processor)), processor);
      EXPECT_GE(processor_class_named(""), processor);
    }
  }
  EXPECT_NE(fault_of("sse9").find("plain, avx2"), std::string::npos);
}

TEST(Processor, TheVariableDecides) {
  const char* const name = std::getenv("FASTCONVMAE_ISA");
  EXPECT_EQ(processor_class(), processor_class_named(name == nullptr ? "" : name));
}

}  // namespace
}  // namespace fcm
