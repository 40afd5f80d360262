/* The emitted C: written to a folder, compiled with a main that answers as a peer (peer.h), and asked. */
#include "peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After the table of offsets; network_trace is called after each layer but the last. */
static const char main_text[] =
    "static unsigned char answer[RECORD];\n"
    "\n"
    "void network_trace(int layer, const void *output) {\n"
    "  memcpy(answer + offset[layer], output, (size_t)(offset[layer + 1] - offset[layer]));\n"
    "}\n"
    "\n"
    "static long read_count(void) {\n"
    "  unsigned char c[4];\n"
    "  if (fread(c, 1, 4, stdin) != 4) return 0;\n"
    "  return (long)c[0] | (long)c[1] << 8 | (long)c[2] << 16 | (long)c[3] << 24;\n"
    "}\n"
    "\n"
    "static void put_logits(unsigned char *to, const int32_t *logits) {\n"
    "  int j, k;\n"
    "  for (j = 0; j < NETWORK_OUTPUTS; j++)\n"
    "    for (k = 0; k < 4; k++) to[4 * j + k] = (unsigned char)((uint32_t)logits[j] >> 8 * k & 255);\n"
    "}\n"
    "\n"
    "int main(void) {\n"
    "  static INTEGER input[BLOCK][NETWORK_INPUTS];\n"
    "  static int32_t logits[NETWORK_OUTPUTS];\n"
    "  long i, count;\n"
    "  putchar('+');\n"
    "  fflush(stdout);\n"
    "  while ((count = read_count()) > 0) {\n"
    "    if (fread(input, NETWORK_INPUTS, (size_t)count, stdin) != (size_t)count) return 1;\n"
    "    for (i = 0; i < count; i++) {\n"
    "      network_run(input[i], logits);\n"
    "      put_logits(answer + offset[LAYERS - 1], logits);\n"
    "      fwrite(answer, 1, RECORD, stdout);\n"
    "    }\n"
    "    fflush(stdout);\n"
    "  }\n"
    "  return 0;\n"
    "}\n";

static bool write_main(const verify_run *run, const char *path) {
  FILE *file = fopen(path, "w");
  if (!file) return false;
  int64_t at = 0;
  fputs("#include \"network.h\"\n#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n\n", file);
  fprintf(file, "#define INTEGER %s\n", verify_layer(run, 0)->input_type == RUNG_I8 ? "int8_t" : "uint8_t");
  fprintf(file, "#define BLOCK %" PRId64 "\n#define LAYERS %d\n", run->block, run->program->count);
  fputs("static const long offset[] = {0", file);
  for (int i = 0; i + 1 < run->program->count; i++) fprintf(file, ", %" PRId64, at += verify_layer(run, i)->out);
  at += 4 * verify_layer(run, run->program->count - 1)->out;
  fprintf(file, "};\n#define RECORD %" PRId64 "\n\n%s", at, main_text);
  bool whole = !ferror(file);
  return fclose(file) == 0 && whole;
}

typedef struct emitted_files {
  const char *source, *main, *executable, *errors;
} emitted_files;

static rung_status write_sources(verify_run *run, emitted_files *files) {
  rung_status status = verify_folder(run);
  if (status != RUNG_OK) return status;
  files->source = folder_file(run->arena, run->folder, "network.c");
  files->main = folder_file(run->arena, run->folder, "main.c");
  files->executable = folder_file(run->arena, run->folder, "network");
  files->errors = folder_file(run->arena, run->folder, "compiler-says");
  if (!files->source || !files->main || !files->executable || !files->errors) return RUNG_ERROR_MEMORY;
  status = rung_emit_c(run->program, "network", run->folder, run->options.emit);
  if (status == RUNG_OK && !write_main(run, files->main))
    status = rung_fail(RUNG_ERROR_IO, "verify: cannot write '%s'", files->main);
  return status;
}

static const char *compiler_of(const verify_run *run) {
  const char *cc = getenv("CC");
  return run->options.compiler ? run->options.compiler : cc && *cc ? cc : "cc";
}

/* False where the execution gave up. */
static bool compile(verify_execution *execution, const emitted_files *files) {
  verify_run *run = execution->in;
  command line = {0};
  command_split(&line, compiler_of(run));
  const char *const words[] = {"-std=c99",        "-O2",         "-DNETWORK_TRACE", "-I", run->folder, "-o",
                               files->executable, files->source, files->main};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) command_add(&line, words[i]);
  int exit_code = 0;
  const char *problem = child_run(&line, files->errors, &exit_code);
  if (problem) execution_give_up(execution, RUNG_OUTCOME_NOT_AVAILABLE, "%s: %s", line.word[0], problem);
  if (problem || exit_code == 0) return !problem;
  char says[REASON_SIZE / 2];
  const char *from = file_line(files->errors, false, says, sizeof says);
  const size_t folder = strlen(run->folder);
  if (strncmp(from, run->folder, folder) == 0 && from[folder] == '/') from += folder + 1;
  execution_give_up(execution, RUNG_OUTCOME_FAILED, "%s: exit code %d: %s", line.word[0], exit_code, from);
  return false;
}

static rung_status open_emitted(verify_execution *execution) {
  verify_run *run = execution->in;
  emitted_files files = {0};
  rung_status status = write_sources(run, &files);
  if (status == RUNG_ERROR_UNSUPPORTED)
    return execution_give_up(execution, RUNG_OUTCOME_NOT_AVAILABLE, "%s", rung_error());
  if (status != RUNG_OK || !compile(execution, &files)) return status;
  command line = {0};
  if (run->options.runner) command_split(&line, run->options.runner);
  command_add(&line, files.executable);
  return peer_open(execution, &line, "network-says", false);
}

const execution_kind execution_emitted = {
    .name = "emitted", .exact = true, .open = open_emitted, .run = peer_run, .close = peer_close};
