#include "table.h"

#include <stdlib.h>
#include <string.h>

static void take_word(setting *to, const char *word, const char *next, const technique *method) {
  if (!strcmp(word, "per-channel"))
    to->scheme.weight_granularity = RUNG_PER_CHANNEL;
  else if (!strcmp(word, "per-tensor"))
    to->scheme.weight_granularity = RUNG_PER_TENSOR;
  else if (!strcmp(word, "group") && next) {
    to->scheme.weight_granularity = RUNG_PER_GROUP;
    to->scheme.weight_group = atoll(next);
  } else if (!strcmp(word, "outliers"))
    to->outliers = true;
  else
    bench_check(rung_scheme_parse_bits(word, &to->scheme) == RUNG_OK ||
                rung_fail(RUNG_ERROR_ARGUMENT, "%s: setting '%s': expected wNaM, per-tensor, group N or outliers",
                          method->name, word) == RUNG_OK);
}

static void read(char *text, const technique *method, setting *to) {
  char *rest = NULL, *word = strtok_r(text, " ", &rest);
  while (word) {
    char *next = strtok_r(NULL, " ", &rest);
    size_t length = strlen(to->text), room = sizeof to->text - length;
    if ((size_t)snprintf(to->text + length, room, "%s%s", length ? " " : "", word) >= room)
      bench_fail("%s: setting '%s...': longer than %d characters", method->name, to->text, SETTING_TEXT - 1);
    if (strspn(word, "0123456789") != strlen(word)) take_word(to, word, next, method); /* a number was taken before */
    word = next;
  }
  bench_check(rung_scheme_check(&to->scheme) == RUNG_OK);
}

int setting_read_all(const technique *method, setting settings[SETTINGS_MOST]) {
  char copy[1024];
  if (strlen(method->settings) >= sizeof copy) bench_fail("%s: too many settings", method->name);
  strcpy(copy, method->settings);
  int count = 0;
  char *rest = NULL;
  for (char *part = strtok_r(copy, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
    if (count == SETTINGS_MOST) bench_fail("%s: more than %d settings", method->name, SETTINGS_MOST);
    settings[count] = (setting){0};
    read(part, method, &settings[count++]);
  }
  return count;
}
