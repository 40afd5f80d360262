/* The command line of mnist_mlp. */
#include "command_line.h"
#include "mnist_mlp.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: mnist_mlp [options]\n"
                            "  --data NAME       mnist, fashion-mnist, or a folder with the four IDX files  (mnist)\n"
                            "  --hidden N,N,...  widths of the hidden layers                                (256,128)\n"
                            "  --epochs N        of FP32 training                                           (10)\n"
                            "  --qat-epochs N    of quantization-aware training, from the FP32 model        (5)\n"
                            "  --batch N         examples a step                                            (64)\n"
                            "  --lr R            learning rate, Adam, cosine to 0                           (1e-3)\n"
                            "  --qat-lr R        the same of QAT                  (2e-4 at 8 bits, 1e-3 below)\n"
                            "  --bits wNaM       bits of weights (1..8) and activations (2..8)              (w8a8)\n"
                            "  --backward TYPE   of gradients in QAT: f32, bf16, int8                       (f32)\n"
                            "  --observer NAME   min-max, moving-average, percentile, mse, entropy\n"
                            "                                   (moving-average at 5 bits or more, mse below)\n"
                            "  --validation N    training pictures held out and evaluated after each epoch  (0)\n"
                            "  --seed N          of weights and order                                       (1)\n"
                            "  --threads N       0: one a processor                                         (0)\n"
                            "  --save FILE       the model after QAT, a checkpoint (safetensors)\n"
                            "  --json FILE       the results\n";

const char program_name[] = "mnist_mlp";

static float rate(const char *name, const char *text) {
  char *end;
  float value = strtof(text, &end);
  if (end == text || *end || !(value > 0 && value <= 10)) fail("--%s '%s': expected a number in (0, 10]", name, text);
  return value;
}

static void hidden(const char *text, settings *options) {
  char copy[256];
  if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy) fail("--hidden: longer than 255 characters");
  options->layers = 0;
  char *rest = copy, *item;
  while ((item = strsep(&rest, ","))) {
    if (options->layers == MAX_HIDDEN) fail("--hidden '%s': expected at most %d layers", text, MAX_HIDDEN);
    options->hidden[options->layers++] = whole("hidden", item, 1, 65536);
  }
}

static void take(settings *options, const char *name, const char *value) {
  if (!strcmp(name, "data"))
    options->data = value;
  else if (!strcmp(name, "hidden"))
    hidden(value, options);
  else if (!strcmp(name, "epochs"))
    options->epochs = (int)whole(name, value, 0, 10000);
  else if (!strcmp(name, "qat-epochs"))
    options->qat_epochs = (int)whole(name, value, 0, 10000);
  else if (!strcmp(name, "batch"))
    options->batch = whole(name, value, 1, 65536);
  else if (!strcmp(name, "lr"))
    options->rate = rate(name, value);
  else if (!strcmp(name, "qat-lr"))
    options->qat_rate = rate(name, value);
  else if (!strcmp(name, "bits"))
    options->bits = value;
  else if (!strcmp(name, "validation"))
    options->validation = whole(name, value, 0, 1000000);
  else if (!strcmp(name, "seed"))
    options->seed = (uint64_t)whole(name, value, 0, INT64_MAX);
  else if (!strcmp(name, "threads"))
    options->threads = (int)whole(name, value, 0, 256);
  else if (!strcmp(name, "save"))
    options->save = value;
  else if (!strcmp(name, "json"))
    options->json = value;
  else if (!strcmp(name, "backward")) {
    if (rung_backward_parse(value, &options->scheme.backward) != RUNG_OK)
      fail("--%s", rung_error()); /* "backward '...': expected ..." */
  } else if (rung_observer_parse(value, &options->scheme.observer.kind) != RUNG_OK)
    fail("--observer: %s", rung_error());
}

settings options_read(int argc, char **argv) {
  static const struct option names[] = {{"data", required_argument, NULL, 0},
                                        {"hidden", required_argument, NULL, 0},
                                        {"epochs", required_argument, NULL, 0},
                                        {"qat-epochs", required_argument, NULL, 0},
                                        {"batch", required_argument, NULL, 0},
                                        {"lr", required_argument, NULL, 0},
                                        {"qat-lr", required_argument, NULL, 0},
                                        {"bits", required_argument, NULL, 0},
                                        {"observer", required_argument, NULL, 0},
                                        {"validation", required_argument, NULL, 0},
                                        {"backward", required_argument, NULL, 0},
                                        {"seed", required_argument, NULL, 0},
                                        {"threads", required_argument, NULL, 0},
                                        {"save", required_argument, NULL, 0},
                                        {"json", required_argument, NULL, 0},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  settings options = {.data = "mnist",
                      .hidden = {256, 128},
                      .layers = 2,
                      .epochs = 10,
                      .qat_epochs = 5,
                      .batch = 64,
                      .rate = 1e-3f,
                      .bits = "w8a8",
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
  if (rung_scheme_parse_bits(options.bits, &options.scheme) != RUNG_OK) fail("--bits: %s", rung_error());
  if (options.save) writable("save", options.save);
  if (options.json) writable("json", options.json);
  bool low = options.scheme.weight_bits < 8 || options.scheme.activation_bits < 8;
  if (options.qat_rate == 0) options.qat_rate = low ? 1e-3f : 2e-4f;
  return options;
}
