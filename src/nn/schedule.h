/* Schedules from the inside. */
#ifndef RUNG_SCHEDULE_H
#define RUNG_SCHEDULE_H

#include <rung/nn.h>

/* RUNG_ERROR_ARGUMENT for what rung_schedule_rate does not take. */
rung_status schedule_check(const rung_schedule *schedule);

#endif
