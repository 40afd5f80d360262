/* The files that a page is put together from, as bytes: cmake/embed.cmake writes them into the build folder. */
#ifndef CLI_REPORT_ASSETS_H
#define CLI_REPORT_ASSETS_H

/* Each ends with a 0. */
extern const char asset_page_html[], asset_page_css[], asset_page_js[];
extern const char asset_chart_js[]; /* Chart.js; "" in a build that has none */

#endif
