/* One run of the command: what was asked for, and where the answers go. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "report.h"
#include "table.h"

#include <rung/rung.h>

/* An option's value. Where none was given, the standard one; where there is no standard one, zeros. */
typedef struct value {
  bool given;
  const char *text; /* as written; NULL: no value */
  int64_t whole;    /* KIND_WHOLE, and KIND_CHOICE: which */
  double number;    /* KIND_NUMBER */
} value;

typedef struct session {
  const command *command;
  const char *positional[POSITIONALS]; /* NULL: not given */
  value option[OPTION_COUNT];
  bool help; /* wanted instead of a run */
  report report;
} session;

#define TEXT_OF(session, id)  ((session)->option[OPTION_##id].text)
#define WHOLE_OF(session, id) ((session)->option[OPTION_##id].whole)
#define REAL_OF(session, id)  ((float)(session)->option[OPTION_##id].number)
#define GIVEN(session, id)    ((session)->option[OPTION_##id].given)

/* Reads argv[1 ..], the command first. All values are checked by the table, all required ones are there, and files to
 * be written can be. session->command is set as soon as it is known. */
rung_status session_parse(session *session, int argc, char **argv);

#endif
