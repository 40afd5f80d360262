/* The parts of a report. Each measures one thing and adds it to the object that the page draws (docs/report.md). */
#ifndef CLI_REPORT_PARTS_H
#define CLI_REPORT_PARTS_H

#include "session.h"

typedef struct subject {
  session *asked;
  rung_model *model;         /* quantized */
  rung_model *real;          /* what it is held against, in FP32: the model it came from, or the weights behind it */
  const char *real_path;     /* the file of `real`, or of the model where that is the same */
  const rung_dataset *train; /* what ranges are taken from */
  const rung_dataset *test;  /* what all is measured on */
  json *object;
} subject;

/* "history": every epoch that made the model. */
void part_history(const subject *of);
/* "layers" and "activations", and on standard output the same as tables. */
rung_status part_analysis(const subject *of);
/* "float" and "integer": accuracy or loss; "confusion"; "changed": examples with another answer in integers. */
rung_status part_answers(const subject *of);
/* RUNG_ERROR_ARGUMENT where --frontier is no list of widths: told before the work. */
rung_status part_check_frontier(const session *asked);
/* "frontier": the FP32 network rounded to each of the widths of --frontier. */
rung_status part_frontier(const subject *of);

#endif
