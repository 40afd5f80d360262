#include "suggest.h"

#include <string.h>

enum { LONGEST = 32 };

static int least(int a, int b, int c) {
  int ab = a < b ? a : b;
  return ab < c ? ab : c;
}

/* How many letters must be put in, taken out or replaced to make b of a (Levenshtein, 1966). */
static int distance(const char *a, const char *b) {
  int row[LONGEST + 1], columns = (int)strlen(b);
  for (int j = 0; j <= columns; j++) row[j] = j;
  for (int i = 0; a[i]; i++) {
    int above_left = row[0];
    row[0] = i + 1;
    for (int j = 0; j < columns; j++) {
      int above = row[j + 1];
      row[j + 1] = least(above + 1, row[j] + 1, above_left + (a[i] != b[j]));
      above_left = above;
    }
  }
  return row[columns];
}

const char *suggest(const char *word, const char *const *names, int count) {
  const char *nearest = NULL;
  int best = 3; /* further away it is a guess */
  if (strlen(word) > LONGEST) return NULL;
  for (int i = 0; i < count; i++) {
    if (strlen(names[i]) > LONGEST) continue;
    int d = distance(word, names[i]);
    if (d >= best || d >= (int)strlen(names[i])) continue;
    best = d;
    nearest = names[i];
  }
  return nearest;
}
