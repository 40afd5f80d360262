/* The range that an observer keeps, in training too. */
#include "../qat.h"

const activation_method observed_activations = {.name = "observed", .observes = true};
