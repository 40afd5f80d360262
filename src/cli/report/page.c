#include "page.h"

#include "assets.h"

#include <rung/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool page_has_charts(void) {
  return *asset_chart_js != '\0';
}

/* JSON within a script element: no text in it may end the element or begin a comment, so there is no <. Outside of its
 * strings JSON has none. */
static void put_json(FILE *to, const char *text) {
  for (const char *c = text; *c; c++) {
    if (*c == '<')
      fputs("\\u003c", to);
    else
      fputc(*c, to);
  }
}

/* The template, "<!--NAME-->" in it replaced by what is of that name. */
static void put_page(FILE *to, const char *data) {
  static const struct {
    const char *mark, *asset; /* NULL: the data */
  } parts[] = {{"<!--page.css-->", asset_page_css},
               {"<!--chart.js-->", asset_chart_js},
               {"<!--page.js-->", asset_page_js},
               {"<!--data-->", NULL}};
  const char *from = asset_page_html;
  while (*from) {
    size_t i = 0;
    while (i < sizeof parts / sizeof *parts && strncmp(from, parts[i].mark, strlen(parts[i].mark)) != 0) i++;
    if (i == sizeof parts / sizeof *parts) {
      fputc(*from++, to);
      continue;
    }
    if (parts[i].asset)
      fputs(parts[i].asset, to);
    else
      put_json(to, data);
    from += strlen(parts[i].mark);
  }
}

rung_status page_write(const char *path, const json *object) {
  char *data = json_print_compact(object), *text = NULL;
  size_t size = 0;
  FILE *to = data ? open_memstream(&text, &size) : NULL;
  if (to) put_page(to, data);
  free(data);
  const bool well = to && !ferror(to) && fclose(to) == 0;
  rung_status status =
      well ? rung_file_write(path, text, size) : rung_fail(RUNG_ERROR_MEMORY, "%s: no memory for the page", path);
  free(text);
  return status;
}
