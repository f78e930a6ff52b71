#pragma once

namespace fcm::apps {

// Makes threads that wait at the end of a parallel loop spin only briefly, then sleep. If other
// programs use the cores as well, a spinning thread takes time from the thread that it waits for:
// on two busy cores, training fell to a hundredth of its speed. OpenMP reads its environment before
// main(), so this sets GOMP_SPINCOUNT and executes the program again in the same process. Does
// nothing if OMP_WAIT_POLICY or GOMP_SPINCOUNT is set.
void sleep_while_waiting(char** arguments);

}  // namespace fcm::apps
