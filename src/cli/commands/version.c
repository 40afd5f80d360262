/* rung version */
#include "../report/page.h"
#include "session.h"

static const char *yes_no(bool is) {
  return is ? "yes" : "no";
}

static ending run(session *asked) {
  const char *level = rung_kernels_active()->level;
  report_say(&asked->report, "rung %s, %s kernels; JSON: %s, ONNX: %s, charts: %s\n", RUNG_VERSION, level,
             yes_no(json_available()), yes_no(RUNG_CLI_ONNX), yes_no(page_has_charts()));
  json_text(asked->report.object, "version", RUNG_VERSION);
  json_text(asked->report.object, "kernels", level);
  json_truth(asked->report.object, "json", json_available());
  json_truth(asked->report.object, "onnx", RUNG_CLI_ONNX);
  json_truth(asked->report.object, "charts", page_has_charts());
  return ENDS_WELL;
}

const command version_command = {.name = "version",
                                 .summary = "shows the version, the kernels in use, and what this build has",
                                 .taken = {HAS(JSON)},
                                 .examples = {{"version", NULL}},
                                 .run = run};
