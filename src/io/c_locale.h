/* Numbers with a point, whatever the program's locale: it can make strtof and printf want and write a comma. */
#ifndef IO_C_LOCALE_H
#define IO_C_LOCALE_H

#include <locale.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include <rung/core.h>

typedef struct rung_c_locale {
  locale_t c, before;
} rung_c_locale;

/* From here to the leave the calling thread, and no other, is in the locale "C". */
static inline rung_status rung_c_locale_enter(rung_c_locale *locale) {
  locale->c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (locale->c == (locale_t)0) return rung_fail(RUNG_ERROR_MEMORY, "no memory for the locale \"C\"");
  locale->before = uselocale(locale->c);
  return RUNG_OK;
}

static inline void rung_c_locale_leave(rung_c_locale *locale) {
  uselocale(locale->before);
  freelocale(locale->c);
}

#endif
