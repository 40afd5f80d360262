/* The command line of low_bit. */
#include "command_line.h"
#include "low_bit.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: low_bit [options]\n"
    "  --network NAME    tfc, sfc, lfc: three hidden layers of 64, 256 or 1024      (tfc)\n"
    "  --bits NAME       1w1a, 1w2a, 2w2a: of weights and of activations            (1w1a)\n"
    "  --recipe NAME     how it is trained: brevitas, better                        (brevitas)\n"
    "  --epochs N        of training; 0: the recipe's                               (0)\n"
    "  --move N          pixels that pictures move by, anew every epoch             (better: 1, brevitas: 0)\n"
    "  --data NAME       mnist, or a folder with the four IDX files                 (mnist)\n"
    "  --validation N    training pictures held out to choose an epoch by           (5000)\n"
    "  --seed N          of weights, dropout and order                              (1)\n"
    "  --threads N       0: one a processor                                         (0)\n"
    "  --save FILE       the model after the last epoch, a checkpoint (safetensors)\n";

const char program_name[] = "low_bit";

static const network *find_network(const char *text) {
  for (int i = 0; i < NETWORKS; i++)
    if (!strcmp(text, networks[i].name)) return &networks[i];
  fail("--network '%s': expected tfc, sfc or lfc", text);
}

static const bits *find_bits(const char *text) {
  for (int i = 0; i < BIT_WIDTHS; i++)
    if (!strcmp(text, bit_widths[i].name)) return &bit_widths[i];
  fail("--bits '%s': expected 1w1a, 1w2a or 2w2a", text);
}

static const recipe *find_recipe(const char *text) {
  for (int i = 0; i < RECIPES; i++)
    if (!strcmp(text, recipes[i].name)) return &recipes[i];
  fail("--recipe '%s': expected brevitas or better", text);
}

static void take(settings *options, const char *name, const char *value) {
  if (!strcmp(name, "network"))
    options->network = find_network(value);
  else if (!strcmp(name, "bits"))
    options->bits = find_bits(value);
  else if (!strcmp(name, "recipe"))
    options->recipe = find_recipe(value);
  else if (!strcmp(name, "epochs"))
    options->epochs = (int)whole(name, value, 0, 100000);
  else if (!strcmp(name, "move"))
    options->move = (int)whole(name, value, 0, 27);
  else if (!strcmp(name, "data"))
    options->data = value;
  else if (!strcmp(name, "validation"))
    options->validation = whole(name, value, 0, 1000000);
  else if (!strcmp(name, "seed"))
    options->seed = (uint64_t)whole(name, value, 0, INT64_MAX);
  else if (!strcmp(name, "threads"))
    options->threads = (int)whole(name, value, 0, 256);
  else
    options->save = writable(name, value);
}

settings options_read(int argc, char **argv) {
  static const struct option names[] = {
      {"network", required_argument, NULL, 0},    {"bits", required_argument, NULL, 0},
      {"recipe", required_argument, NULL, 0},     {"epochs", required_argument, NULL, 0},
      {"move", required_argument, NULL, 0},       {"data", required_argument, NULL, 0},
      {"validation", required_argument, NULL, 0}, {"seed", required_argument, NULL, 0},
      {"threads", required_argument, NULL, 0},    {"save", required_argument, NULL, 0},
      {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
  settings options = {.network = &networks[0],
                      .bits = &bit_widths[0],
                      .recipe = &recipes[0],
                      .data = "mnist",
                      .move = -1,
                      .validation = 5000,
                      .seed = 1};
  opterr = 0;
  int found, index = 0;
  while ((found = getopt_long(argc, argv, "h", names, &index)) != -1) {
    if (found == 'h') {
      fputs(usage, stdout);
      exit(0);
    }
    if (found != 0) fail("'%s': unknown option or missing value (--help lists them)", argv[optind - 1]);
    take(&options, names[index].name, optarg);
  }
  if (optind < argc) fail("'%s': expected only options (--help lists them)", argv[optind]);
  if (options.move < 0) options.move = options.recipe->move;
  if (options.epochs == 0) options.epochs = options.recipe->epochs ? options.recipe->epochs : options.bits->epochs;
  return options;
}
