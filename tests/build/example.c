/* Runs the example of a public header (example.inc) on the sample of MNIST. A library call that fails leaves its
 * message in rung_error(), which stays "" when all goes well. */
#include <rung/rung.h>

#include <stdio.h>

static void example(const rung_dataset *train, rung_tensor pictures, rung_tensor labels) {
  (void)train, (void)pictures, (void)labels;
#include "example.inc"
}

int main(void) {
  rung_dataset *train = rung_dataset_load(SAMPLE, RUNG_TRAIN);
  if (train == NULL) {
    puts(rung_error());
    return 77;
  }
  rung_tensor labels = {.type = RUNG_I32, .shape = RUNG_SHAPE(train->count), .data = (void *)train->labels};
  example(train, train->inputs, labels);
  puts(rung_error());
  return *rung_error() != '\0';
}
