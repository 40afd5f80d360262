/* The data that the options name. */
#ifndef CLI_DATA_H
#define CLI_DATA_H

#include "session.h"

typedef struct data_sets {
  rung_dataset *all;        /* of --data, for training; owns what the two below look at */
  rung_dataset *train;      /* all but the held out */
  rung_dataset *validation; /* NULL: none held out */
  rung_dataset *test;       /* NULL: there is none */
} data_sets;

/* For training: --data, --validation, --test. Zeros at first; data_free it, whatever came of it. */
rung_status data_load(const session *asked, data_sets *to);
void data_free(data_sets *of);

/* "classes: 0 rose, 1 tulip", where the data has names; JSON: all of them, as "classes". */
void data_tell_classes(session *asked, const rung_dataset *data);

/* What a finished model is run on, the first --examples of it: the test part of --data where it has one, else all of
 * it. *owner keeps it: rung_dataset_free both, the answer first. NULL with a message on failure. */
rung_dataset *data_load_test(const session *asked, rung_dataset **owner);

#endif
