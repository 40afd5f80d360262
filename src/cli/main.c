/* The rung command. A command's file in commands/ says what it does; this one finds it, and turns what came of it into
 * an exit status. */
#include "help.h"
#include "session.h"

#include <stdio.h>

static ending run(session *asked) {
  if (asked->help) {
    help_print(asked->command);
    return report_end(&asked->report, true) == RUNG_OK ? ENDS_WELL : ENDS_BADLY;
  }
  if (report_begin(&asked->report, GIVEN(asked, QUIET), GIVEN(asked, JSON)) != RUNG_OK) return ENDS_BADLY;
  ending end = asked->command->run(asked);
  report_clear(&asked->report);
  if (end == ENDS_BADLY) {
    char why[512]; /* what ending the report may say is not the reason */
    snprintf(why, sizeof why, "%s", rung_error());
    report_end(&asked->report, false);
    rung_fail(rung_error_status(), "%s", why);
    return end;
  }
  return report_end(&asked->report, true) == RUNG_OK ? end : ENDS_BADLY;
}

int main(int argc, char **argv) {
  static session asked;
  ending end = session_parse(&asked, argc, argv) == RUNG_OK ? run(&asked) : ENDS_BADLY;
  if (end == ENDS_BADLY)
    fprintf(stderr, "rung%s%s: %s\n", asked.command ? " " : "", asked.command ? asked.command->name : "",
            report_reason());
  return (int)end;
}
