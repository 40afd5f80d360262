/* The page of a report: one HTML file with all that it needs in it. */
#ifndef CLI_REPORT_PAGE_H
#define CLI_REPORT_PAGE_H

#include "json.h"

#include <rung/core.h>

bool page_has_charts(void); /* false in a build without Chart.js: the page has tables alone */

/* Writes it; it appears whole or not at all. Whatever texts the object has stay texts. */
rung_status page_write(const char *path, const json *object);

#endif
