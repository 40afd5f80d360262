#include "observer.h"

const observer_type min_max_observer = {.name = "min-max", .update = observer_widen};
