#include "parts.h"

#include <stdio.h>

void part_history(const subject *of) {
  json *list = json_list(of->object, "history");
  for (int i = 0; i < rung_model_epoch_count(of->model); i++) {
    const rung_epoch epoch = rung_model_epoch(of->model, i);
    char bits[16] = "fp32";
    if (epoch.weight_bits) snprintf(bits, sizeof bits, "w%da%d", epoch.weight_bits & 15, epoch.activation_bits & 15);
    json *row = json_list_object(list);
    json_text(row, "bits", bits);
    json_number(row, "rate", (double)epoch.rate);
    json_number(row, "loss", (double)epoch.loss);
    json_number(row, "accuracy", (double)epoch.accuracy);
    json_number(row, "validation_loss", (double)epoch.validation_loss);
    json_number(row, "validation_accuracy", (double)epoch.validation_accuracy);
  }
}
