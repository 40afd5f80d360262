/* Help texts, made from the table. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "table.h"

#include <stdio.h>

void help_print(const command *of); /* of one command, on standard output */
void help_print_all(void);          /* what there is, and how to begin */

/* "rung train --data DATA -o FILE [options]" */
void help_usage(const command *of, char *line, size_t size);
/* "channel, tensor or group; default: channel", or "". */
void help_values(const option *of, char *text, size_t size);

extern const char help_about[]; /* what rung is, in paragraphs */
extern const char *const help_exits[3];
extern const example help_session[]; /* a first session; ends with a NULL line */

#endif
