/* A team that may be NULL: then the caller is its only member. */
#ifndef RUNG_MEMBERS_H
#define RUNG_MEMBERS_H

#include <rung/core.h>

static inline int members_count(const rung_team *team) {
  return team ? rung_team_size(team) : 1;
}

static inline void members_run(rung_team *team, rung_task *task, void *context) {
  if (team)
    rung_team_run(team, task, context);
  else
    task(context, 0, 1);
}

static inline void members_meet(rung_team *team) {
  if (team) rung_team_barrier(team);
}

#endif
