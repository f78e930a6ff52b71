// The program; all of it is in the library fcm_app, where tests can call it.
#include "apps/program.h"
#include "apps/wait_policy.h"

int main(int count, char** values) {
  return fcm::apps::run_program({values + 1, values + count},
                                [&] { fcm::apps::sleep_while_waiting(values); });
}
