/* rung report: the tables, and a page that is one whole file, whatever the names in it are. */
#include "cli.h"

#include <cjson/cJSON.h>
#include <sys/resource.h>

#define LAYERS "linear 16, relu, linear 10"
#define FAST   "--threads", "1"

/* m, the FP32 network, and q, trained on in three bits. */
static void make_models(void) {
  expect_run(
      RUN("train", "--data", SAMPLE, "--validation", "200", "--model", LAYERS, "--epochs", "2", "-o", "m", "-q", FAST),
      0, "m ");
  expect_run(CONTINUE("quantize", "m", "--data", SAMPLE, "--bits", "w3a3", "-o", "q", "-q", FAST), 0, "m q ");
  expect_run(CONTINUE("train", "--from", "q", "--data", SAMPLE, "--epochs", "1", "-o", "q", "-q", FAST), 0, "m q ");
}

static char *page_text(const char *name) {
  char path[256];
  size_t size;
  snprintf(path, sizeof path, "run/%s", name);
  char *text = (char *)scratch_read(scratch_path(path), &size);
  text = realloc(text, size + 1);
  ck_assert(text != NULL);
  text[size] = '\0';
  return text;
}

static int count_of(const char *text, const char *part) {
  int count = 0;
  for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) count++;
  return count;
}

#define DATA_BEGIN "<script type=\"application/json\" id=\"data\">"

/* The data in a page, as a browser cuts them out: up to the first end of a script. */
static cJSON *page_data(const char *page) {
  const char *begin = strstr(page, DATA_BEGIN);
  ck_assert_ptr_nonnull(begin);
  begin += strlen(DATA_BEGIN);
  cJSON *data = cJSON_ParseWithLength(begin, (size_t)(strstr(begin, "</script") - begin));
  ck_assert_msg(data != NULL, "not JSON: %.400s", begin);
  return data;
}

static const cJSON *at(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  ck_assert_msg(item != NULL, "no '%s'", key);
  return item;
}

static double number(const cJSON *object, const char *key) {
  ck_assert_msg(cJSON_IsNumber(at(object, key)), "'%s' is no number", key);
  return at(object, key)->valuedouble;
}

static double list_sum(const cJSON *list) {
  double sum = 0;
  const cJSON *item;
  cJSON_ArrayForEach(item, list) sum += cJSON_IsArray(item) ? list_sum(item) : item->valuedouble;
  return sum;
}

/* What is counted in one way is counted in another. */
static void expect_consistent(const cJSON *data, int examples) {
  double right = 0;
  for (int i = 0; i < 10; i++)
    right += cJSON_GetArrayItem(cJSON_GetArrayItem(at(data, "confusion"), i), i)->valuedouble;
  ck_assert_double_eq(list_sum(at(data, "confusion")), examples);
  ck_assert_double_eq_tol(right / examples, number(at(data, "integer"), "accuracy"), 1e-12);
  const cJSON *changed = at(data, "changed");
  const double gain = number(changed, "won") - number(changed, "lost");
  ck_assert_double_eq_tol(gain / examples,
                          number(at(data, "integer"), "accuracy") - number(at(data, "float"), "accuracy"), 1e-12);
  const int shown = cJSON_GetArraySize(at(changed, "examples"));
  ck_assert(shown > 0 && shown == (number(changed, "count") < 48 ? number(changed, "count") : 48));
  const char *pixels = at(cJSON_GetArrayItem(at(changed, "examples"), 0), "pixels")->valuestring;
  ck_assert_uint_eq(strlen(pixels), 2 * 28 * 28);
  ck_assert_uint_eq(strspn(pixels, "0123456789abcdef"), 2 * 28 * 28);
}

START_TEST(a_page_has_all_that_was_measured) {
  make_models();
  const run *r = CONTINUE("report", "q", "--data", SAMPLE, "--against", "m", "-n", "500", "-o", "r.html", FAST);
  expect_run(r, 0, "m q r.html ");
  expect_in(r->out, "wrote r.html\n");
  char *page = page_text("r.html");
  cJSON *data = page_data(page);
  ck_assert_str_eq(at(data, "bits")->valuestring, "w3a3");
  ck_assert_double_eq(number(data, "examples"), 500);
  ck_assert_double_eq(number(data, "parameters"), 784 * 16 + 16 + 160 + 10);
  expect_consistent(data, 500);
  const cJSON *history = at(data, "history"), *layer = cJSON_GetArrayItem(at(data, "layers"), 0);
  ck_assert_int_eq(cJSON_GetArraySize(history), 3);
  ck_assert_str_eq(at(cJSON_GetArrayItem(history, 1), "bits")->valuestring, "fp32");
  ck_assert_str_eq(at(cJSON_GetArrayItem(history, 2), "bits")->valuestring, "w3a3");
  ck_assert(cJSON_IsNull(at(cJSON_GetArrayItem(history, 2), "validation_loss")));
  ck_assert_double_eq(list_sum(at(at(at(layer, "weights"), "histogram"), "before")), 784 * 16);
  ck_assert_double_eq(list_sum(at(at(at(layer, "weights"), "histogram"), "after")), 784 * 16);
  ck_assert(cJSON_IsNull(at(layer, "flips")));
  ck_assert_int_eq(cJSON_GetArraySize(at(data, "layers")), 2);
  ck_assert_int_eq(cJSON_GetArraySize(at(data, "activations")), 1);
  ck_assert_int_eq(cJSON_GetArraySize(at(data, "frontier")), 11);
  ck_assert_str_eq(at(data, "against")->valuestring, "m");
  cJSON_Delete(data);
  free(page);
}
END_TEST

/* Classes, layers and files may be named so that they would end the script, or begin markup. */
START_TEST(names_stay_text) {
  static const char csv[] =
      "1,0,</script><script>document.title=1</script>\n0,1,<!--<script>\n1,1,a&amp;b\n0,0,\"\"\"\\\"\n";
  scratch_remove_tree(scratch_path("run"));
  scratch_write("run/a.csv", csv, strlen(csv));
  const char *layers = "linear 8 as </script>, relu, linear 4 as <img/src=x/onerror=alert(1)>";
  expect_run(CONTINUE("train", "--data", "a.csv", "--model", layers, "--epochs", "1", "-o", "<b>", "-q", FAST), 0,
             "<b> a.csv ");
  expect_run(CONTINUE("quantize", "<b>", "--data", "a.csv", "-o", "<b>", "-q", FAST), 0, "<b> a.csv ");
  expect_run(CONTINUE("report", "<b>", "--data", "a.csv", "-o", "r.html", "-q", FAST), 0, "<b> a.csv r.html ");
  char *page = page_text("r.html");
  ck_assert_int_eq(count_of(page, "</script"), 3); /* the page's own: data, Chart.js, drawing */
  ck_assert_int_eq(count_of(page, "<script"), 3 + count_of(page, "\"<script"));
  ck_assert_int_eq(count_of(page, "onerror=alert"), count_of(page, "\\u003cimg/src=x/onerror=alert"));
  cJSON *data = page_data(page);
  ck_assert_str_eq(at(data, "name")->valuestring, "<b>");
  ck_assert_str_eq(at(cJSON_GetArrayItem(at(data, "layers"), 0), "name")->valuestring, "</script>");
  const cJSON *classes = at(data, "classes");
  ck_assert_str_eq(cJSON_GetArrayItem(classes, 0)->valuestring, "\"\\");
  ck_assert_str_eq(cJSON_GetArrayItem(classes, 2)->valuestring, "</script><script>document.title=1</script>");
  cJSON_Delete(data);
  free(page);
}
END_TEST

START_TEST(a_regression_has_no_classes) {
  char csv[4096] = "";
  for (int i = 0; i < 60; i++) snprintf(csv + strlen(csv), sizeof csv - strlen(csv), "%d,%d,%d\n", i, i * i % 7, 2 * i);
  scratch_remove_tree(scratch_path("run"));
  scratch_write("run/a.csv", csv, strlen(csv));
#define ON "--data", "a.csv", "--task", "regression", FAST
  expect_run(CONTINUE("train", ON, "--model", "linear 8, relu, linear 1", "--epochs", "2", "-o", "m", "-q"), 0,
             "a.csv m ");
  expect_run(CONTINUE("quantize", "m", ON, "-o", "q", "-q"), 0, "a.csv m q ");
  const run *r = CONTINUE("report", "q", ON, "-o", "r.html", "--frontier", "w8a8,w4a8");
  expect_run(r, 0, "a.csv m q r.html ");
  expect_in(r->out, "fp32: loss ");
  char *page = page_text("r.html");
  cJSON *data = page_data(page);
  ck_assert(!cJSON_HasObjectItem(data, "confusion") && !cJSON_HasObjectItem(data, "changed"));
  ck_assert(cJSON_IsNull(at(cJSON_GetArrayItem(at(data, "history"), 0), "accuracy")));
  ck_assert_int_eq(cJSON_GetArraySize(at(data, "activations")), 2); /* the input too: it is f32 */
  ck_assert_int_eq(cJSON_GetArraySize(at(data, "frontier")), 2);
  cJSON_Delete(data);
  free(page);
}
END_TEST

/* One file, no address in it but those that Chart.js has in its comments. */
START_TEST(a_page_asks_for_nothing) {
  make_models();
  expect_run(CONTINUE("report", "q", "--data", SAMPLE, "-o", "r.html", "-q", FAST), 0, "m q r.html ");
  char *page = page_text("r.html");
  static const char *const never[] = {" src=\"", "<link", "@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket("};
  ck_assert_int_eq(strncmp(page, "<!doctype html>", 15), 0);
  expect_in(page, "content=\"default-src 'none';");
  expect_in(page, "<html lang=\"en\">");
  expect_in(page, "prefers-color-scheme: dark");
  for (size_t i = 0; i < sizeof never / sizeof *never; i++)
    ck_assert_msg(!strstr(page, never[i]), "the page has '%s'", never[i]);
  ck_assert_int_eq(count_of(page, "<!--page."), 0); /* all places are filled */
  ck_assert_str_eq(page + strlen(page) - strlen("</html>\n"), "</html>\n");
  free(page);
}
END_TEST

/* The same numbers on any number of threads, and no time of day among them. */
START_TEST(a_report_is_the_same_file_every_time) {
  make_models();
  expect_run(CONTINUE("report", "q", "--data", SAMPLE, "-o", "a.html", "-q", "--threads", "1"), 0, "a.html m q ");
  expect_run(CONTINUE("report", "q", "--data", SAMPLE, "-o", "b.html", "-q", "--threads", "2"), 0,
             "a.html b.html m q ");
  expect_shell("cmp \"$1/a.html\" \"$1/b.html\"", scratch_path("run"));
}
END_TEST

START_TEST(tables_are_printed_without_a_page) {
  make_models();
  const run *r = CONTINUE("report", "q", "--data", SAMPLE, "-n", "300", "--frontier", "none", FAST);
  expect_run(r, 0, "m q ");
  expect_in(r->out, "fp32: ");
  expect_in(r->out, "w3a3: ");
  expect_in(r->out, "another answer in integers: ");
  expect_in(r->out, "weights      bits                 range                  clip SQNR dB");
  expect_in(r->out, "\nfc1             3 ");
  expect_in(r->out, "\nactivations  bits");
  ck_assert(!strstr(r->out, "rounded to nearest"));
  ck_assert(!strstr(r->out, "flips")); /* nothing was watched */
  r = CONTINUE("report", "q", "--data", SAMPLE, "-n", "40", "--frontier", "w8a8", "--json", FAST);
  expect_run(r, 0, "m q ");
  expect_json(r->out, "r = r['report']\n"
                      "assert [l['name'] for l in r['layers']] == ['fc1', 'fc2'] and r['examples'] == 40\n"
                      "assert r['frontier'][0]['bits'] == 'w8a8' and r['frontier'][0]['bytes'] > 12000\n"
                      "assert 5 < r['layers'][0]['weights']['sqnr_db'] < 40");
}
END_TEST

/* Behind GPTQ's integers stand its rounded weights: what it cost is told against the network that they came from. */
START_TEST(the_float_network_tells_what_a_method_cost) {
  make_models();
  expect_run(CONTINUE("quantize", "m", "--data", SAMPLE, "--bits", "w3a8", "--method", "gptq", "-o", "g", "-q", FAST),
             0, "g m q ");
  const run *r = CONTINUE("report", "g", "--data", SAMPLE, "-n", "100", "--frontier", "none", FAST);
  expect_run(r, 0, "g m q ");
  expect_in(r->out, "the weights behind the integers are rounded already: --against FILE tells what that cost");
  r = CONTINUE("report", "g", "--data", SAMPLE, "-n", "100", "--frontier", "none", "--against", "m", FAST);
  ck_assert_ptr_null(strstr(r->out, "rounded already"));
  r = CONTINUE("report", "g", "--data", SAMPLE, "-n", "100", "--frontier", "none", "--against", "m", "--json", FAST);
  expect_json(r->out, "assert all(1 < l['weights']['sqnr_db'] < 20 for l in r['report']['layers']), r");
  command_refused(CONTINUE("report", "g", "--data", SAMPLE, "--against", "q", FAST),
                  "--against 'q': a model in w3a3, expected the FP32 network that g came from", "g m q ");
  expect_run(CONTINUE("train", "--data", SAMPLE, "--model", "linear 10", "--epochs", "1", "-o", "o", "-q", FAST), 0,
             "g m o q ");
  command_refused(CONTINUE("report", "g", "--data", SAMPLE, "--against", "o", FAST),
                  "--against 'o': has other layers than g, expected the FP32 network that it came from", "g m o q ");
}
END_TEST

/* Accumulators of 9 bits leave a weight of 1 an output. */
START_TEST(a_layer_that_says_nothing_is_named) {
  make_models();
  expect_run(CONTINUE("quantize", "m", "--data", SAMPLE, "--accumulator-bits", "9", "-o", "z", "-q", FAST), 0,
             "m q z ");
  const run *r = CONTINUE("report", "z", "--data", SAMPLE, "-n", "40", "--frontier", "none", FAST);
  expect_in(r->out, "\nfc2 puts out the same on every example\n");
  r = CONTINUE("report", "q", "--data", SAMPLE, "-n", "40", "--frontier", "none", FAST);
  ck_assert_ptr_null(strstr(r->out, "puts out the same"));
}
END_TEST

/* The report has of each layer what the training told of it. */
START_TEST(watched_weights_are_reported) {
  make_models();
  const run *r = CONTINUE("train", "--from", "q", "--data", SAMPLE, "--epochs", "2", "--rate", "4e-3", "-o", "w",
                          "--freeze-oscillation", "0.005", "--json", FAST);
  expect_json(r->out, "o = r['oscillation']\n"
                      "assert [l['name'] for l in o] == ['fc1', 'fc2'] and o[0]['weights'] == 784 * 16, r\n"
                      "assert all(l['flips'] > 0 for l in o) and sum(l['frozen'] for l in o) > 0, o");
  r = CONTINUE("report", "w", "--data", SAMPLE, "-n", "40", "--frontier", "none", "-o", "r.html", FAST);
  expect_run(r, 0, "m q r.html w ");
  expect_in(r->out, "dead     flips oscillating   frozen\n");
  char *page = page_text("r.html");
  cJSON *data = page_data(page);
  const cJSON *layer = cJSON_GetArrayItem(at(data, "layers"), 0);
  char says[128];
  snprintf(says, sizeof says, "fc1: %.0f flips; of 12544 weights %.0f oscillating, %.0f frozen\n",
           number(layer, "flips"), number(layer, "oscillating"), number(layer, "frozen"));
  r = CONTINUE("train", "--from", "q", "--data", SAMPLE, "--epochs", "2", "--rate", "4e-3", "-o", "w",
               "--freeze-oscillation", "0.005", FAST);
  expect_run(r, 0, "m q r.html w ");
  expect_in(r->out, says);
  cJSON_Delete(data);
  free(page);
}
END_TEST

/* What cannot be reported on leaves the file that was there. */
START_TEST(a_failure_leaves_the_old_page) {
  make_models();
  scratch_write("run/r.html", "old", 3);
  command_refused(CONTINUE("report", "m", "--data", SAMPLE, "-o", "r.html"), "m: a model in FP32, expected a quantized",
                  "m q r.html ");
  command_refused(CONTINUE("report", "q", "--data", SAMPLE, "-o", "r.html", "--frontier", "w9a0"),
                  "--frontier: bits 'w9a0': expected wNaM", "m q r.html ");
  command_refused(CONTINUE("report", "q", "--data", SAMPLE, "-o", "q"), "--out 'q': is the file of MODEL",
                  "m q r.html ");
  command_refused(CONTINUE("report", "q", "--data", SAMPLE, "--against", "m", "-o", "m"), "is the file of --against",
                  "m q r.html ");
  struct rlimit before, few = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY}; /* less than a page takes */
  ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
  few.rlim_max = before.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
  const run *r = CONTINUE("report", "q", "--data", SAMPLE, "-o", "r.html", "-q", FAST);
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
  command_refused(r, "r.html", "m q r.html ");
  char *page = page_text("r.html");
  ck_assert_str_eq(page, "old");
  free(page);
}
END_TEST

TEST_MAIN(CASE(a_page_has_all_that_was_measured), CASE(names_stay_text), CASE(a_regression_has_no_classes),
          CASE(a_page_asks_for_nothing), CASE(a_report_is_the_same_file_every_time),
          CASE(tables_are_printed_without_a_page), CASE(the_float_network_tells_what_a_method_cost),
          CASE(a_layer_that_says_nothing_is_named), CASE(watched_weights_are_reported),
          CASE(a_failure_leaves_the_old_page))
