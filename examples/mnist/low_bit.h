/* What the files of the example share: low_bit.c is the networks and their training, low_bit_options.c reads the
 * command line. */
#ifndef LOW_BIT_H
#define LOW_BIT_H

#include <rung/rung.h>

/* Three hidden layers of one width. */
typedef struct network {
  const char *name;
  int64_t width;
} network;

/* Bits of weights, of activations, and of the input. 2 bits are {-1, 0, 1}, 1 bit is {-1, 1}. */
typedef struct bits {
  const char *name;
  int weight, activation, input;
  int epochs; /* of Brevitas' recipe */
} bits;

typedef struct recipe recipe;

typedef struct settings {
  const network *network;
  const bits *bits;
  const recipe *recipe;
  const char *data, *save;
  int epochs, threads;
  int move;           /* pictures, by up to so many pixels */
  int64_t validation; /* training pictures held out; 0: none, and no accuracy is selected by them */
  uint64_t seed;
} settings;

/* How it is trained. */
struct recipe {
  const char *name;
  bool cross_entropy; /* else squared hinge */
  float dropout;
  int move; /* unless the command line says otherwise */
  float rate;
  rung_schedule schedule; /* its period in epochs */
  bool unit_weights; /* start uniform in -1 .. 1, and are held there, with scale 1 / qmax; else learned scales (LSQ) */
  int epochs;        /* 0: Brevitas' for these bits */
};

extern const network networks[];
extern const bits bit_widths[];
extern const recipe recipes[];
enum { NETWORKS = 3, BIT_WIDTHS = 3, RECIPES = 2 };

/* Exits with 2 and one line on stderr if the command line is wrong, with 0 after --help. */
settings options_read(int argc, char **argv);

#endif
