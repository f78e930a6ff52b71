#pragma once

namespace fcm::apps {

// Threads that wait at the end of a parallel loop spin for a moment only, then sleep. Where another
// program wants a core, a spinning thread burns the time its partner needs: on two busy cores
// training fell to a hundredth of its speed. OpenMP reads its environment before main, so this
// starts the program once more (same process id). Does nothing where the user has decided:
// OMP_WAIT_POLICY or GOMP_SPINCOUNT is set.
void sleep_while_waiting(char** arguments);

}  // namespace fcm::apps
