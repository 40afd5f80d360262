/* Weights whose integers hop to and fro while they train, as the options describe it. */
#ifndef CLI_FLIPS_H
#define CLI_FLIPS_H

#include "session.h"

/* The options go with a model of integer weights. */
rung_status flips_check(const session *asked, const rung_model *model);

/* What a fit is to do about them; zero if nothing. The options are checked. */
rung_oscillation_options flips_options(const session *asked);

/* What was seen of each layer, as lines and as JSON; nothing if no weight was watched, now or in an earlier fit. */
void flips_tell(session *asked, const rung_model *model);

#endif
