/* A process that computes what the program does. Asked with the number of examples (4 bytes, lowest first) and their
 * inputs, as the program takes them, it answers with a record an example: each layer's outputs, a byte each, then the
 * logits, 4 bytes each, lowest first, int32 or float32. When it is ready to be asked it says '+'. */
#ifndef VERIFY_PEER_H
#define VERIFY_PEER_H

#include "child.h"
#include "verify.h"

typedef struct peer_process {
  child_process child;
  const char *errors;    /* the file its standard error goes to */
  unsigned char *answer; /* [block, record] */
  float *logits;         /* [block, outputs]; NULL: they are integers */
  int64_t record;        /* bytes */
} peer_process;

enum { PEER_UNAVAILABLE = 77 }; /* its exit code where it cannot be had, with the reason on its last line */

/* Starts it: execution->state becomes a peer_process. `what` names it in reasons. */
rung_status peer_open(verify_execution *execution, const command *line, const char *what, bool real_logits);
rung_status peer_run(verify_execution *execution);
void peer_close(verify_execution *execution);

#endif
