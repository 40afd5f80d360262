/* The command line: what is refused, and what is made from the table: help, completion, man pages. */
#include "cli.h"
#include "table.h"

/* ---- Bad command lines ------------------------------------------------------------------------------------------ */

#define TRAIN "train", "--data", "@", "--epochs", "1", "--batch", "4", "-o", "out.safetensors"
#define MODEL "--model", "linear 10"

/* "@" becomes the path of a small dataset, "@m" a trained model, "@t" a text file. */
static const struct {
  const char *arguments[16];
  const char *says;
} bad_lines[] = {
    {{"tran"}, "rung: 'tran': unknown command; did you mean train?"},
    {{"frobnicate"}, "rung: 'frobnicate': unknown command (rung help lists them)"},
    {{"--no-such-option"}, "unknown command"},
    {{""}, "rung: '': unknown command"},
    {{TRAIN, MODEL, "--epoch", "3"}, "rung train: '--epoch': unknown option; did you mean --epochs?"},
    {{TRAIN, MODEL, "--bits", "w8a8"}, "'--bits': unknown option"}, /* one of quantize */
    {{TRAIN, MODEL, "-x"}, "'-x': unknown option (rung train --help lists them)"},
    {{TRAIN, MODEL, "--epochs"}, "'--epochs': its value is missing: expected N"},
    {{TRAIN, MODEL, "--epochs", "x"}, "rung train: --epochs 'x': expected a whole number in 1..100000"},
    {{TRAIN, MODEL, "--epochs", "0"}, "--epochs '0'"},
    {{TRAIN, MODEL, "--epochs="}, "--epochs ''"},
    {{TRAIN, MODEL, "--epochs=2.5"}, "--epochs '2.5'"},
    {{TRAIN, MODEL, "--seed", "-1"}, "--seed '-1': expected a whole number from 0"},
    {{TRAIN, MODEL, "--seed", "99999999999999999999"}, "--seed '99999999999999999999'"},
    {{TRAIN, MODEL, "--batch", "65537"}, "--batch '65537': expected a whole number in 1..65536"},
    {{TRAIN, MODEL, "--threads", "257"}, "--threads '257': expected a whole number in 0..256"},
    {{TRAIN, MODEL, "--rate", "0"}, "--rate '0': expected a number in"},
    {{TRAIN, MODEL, "--rate", "nan"}, "--rate 'nan'"},
    {{TRAIN, MODEL, "--rate", "inf"}, "--rate 'inf'"},
    {{TRAIN, MODEL, "--rate", "1e-3x"}, "--rate '1e-3x'"},
    {{TRAIN, MODEL, "--momentum", "1"}, "--momentum '1'"},
    {{TRAIN, MODEL, "--optimizer", "adamm"}, "--optimizer 'adamm': expected adam, adamw, sgd or adam8bit"},
    {{TRAIN, MODEL, "--schedule", ""}, "--schedule '': expected cosine, constant or step"},
    {{TRAIN, MODEL, "--loss", "hinge"}, "--loss 'hinge': expected cross-entropy, squared-hinge or squared-error"},
    {{TRAIN, MODEL, "--loss", "squared-error"}, "has labels, the model's loss wants targets"},
    {{TRAIN, MODEL, "--task", "ranking"}, "--task 'ranking': expected classification or regression"},
    {{TRAIN, MODEL, "--label", "first"}, "--label: goes with the classes of a CSV file; --data is /"},
    {{"train", "--data", "x.csv", "--task", "regression", "--label", "a", MODEL, "-o", "o"}, "--label: goes with the"},
    {{TRAIN, MODEL, "--task", "regression"}, "--task: goes with a CSV file"},
    {{TRAIN, MODEL, "--targets", "last"}, "--targets: goes with an NPY file, or a CSV file and --task regression"},
    {{TRAIN, MODEL, "--pixels"}, "--pixels: goes with a CSV file"},
    {{TRAIN, MODEL, "--test-targets", "@t"}, "--test-targets: goes with an NPY file of --test"},
    {{TRAIN, MODEL, "--period", "3"}, "--period: goes with --schedule step only"},
    {{TRAIN, MODEL, "--factor", "0.5", "--schedule", "cosine"}, "--factor: goes with --schedule step only"},
    {{TRAIN, MODEL, "--nesterov"}, "--nesterov: goes with --optimizer sgd only"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--group", "32"}, "--group: goes with --granularity group only"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--percentile", "0.9"}, "--percentile: goes with --observer perce"},
    {{"run", "@t", "--data", "@", "--real"}, "--real: goes with --out only"},
    {{TRAIN, MODEL, "--prune", "1"}, "--prune '1': expected a number in 1e-06..0.999999"},
    {{TRAIN, MODEL, "--prune", "0.5", "--prune-method", "smallest"},
     "--prune method 'smallest': expected magnitude, per-"},
    {{TRAIN, MODEL, "--prune-method", "neurons"}, "--prune-method: goes with --prune only"},
    {{TRAIN, MODEL, "--prune-epochs", "3"}, "--prune-epochs: goes with --prune only"},
    {{TRAIN, MODEL, "--prune", "0.5", "--prune-method", "2:4"}, "--prune: not with --prune-method 2:4, which says how"},
    {{TRAIN, MODEL, "--prune-method", "2:4", "--prune-epochs", "1"}, "--prune-epochs: not with --prune-method 2:4"},
    {{TRAIN, MODEL, "--prune-method", "4:2"}, "--prune method '4:2': expected magnitude, per-layer, neurons, neur"},
    {{TRAIN, MODEL, "--prune", "0.5", "--prune-epochs", "10"}, "--prune-epochs 10: expected fewer than --epochs, 1"},
    {{TRAIN, MODEL, "--prune", "0.5", "--prune-method", "neurons"}, "prune: no hidden layer"},
    {{TRAIN, MODEL, "--temperature", "2"}, "--temperature: goes with --teacher only"},
    {{TRAIN, MODEL, "--alpha", "0.5"}, "--alpha: goes with --teacher only"},
    {{TRAIN, MODEL, "--teacher", "missing"}, "--teacher 'missing': cannot be read"},
    {{TRAIN, MODEL, "--teacher", "@t"}, "notes.txt: not a safetensors file"},
    {{TRAIN, MODEL, "--teacher", "@t", "--alpha", "1.5"}, "--alpha '1.5': expected a number in 1e-06..1"},
    {{"train", "--data", "@", MODEL, "--teacher", "@t", "-o", "@t"}, "notes.txt': is the file of --teacher"},
    {{TRAIN, MODEL, "--quiet=yes"}, "'--quiet=yes': --quiet takes no value"},
    {{TRAIN, MODEL, "--help=yes"}, "'--help=yes': --help takes no value"},
    {{TRAIN, MODEL, "picture.png"}, "'picture.png': expected only options"},
    {{TRAIN, MODEL, "--validation", "12"}, "--validation '12': expected fewer than the 12 training examples"},
    {{TRAIN, MODEL, "--validation", "1.5"}, "--validation '1.5'"},
    {{TRAIN, MODEL, "--validation", "-1"}, "--validation '-1'"},
    {{TRAIN, MODEL, "--weights", "missing"}, "--weights 'missing': cannot be read: No such file"},
    {{TRAIN, MODEL, "--test", "nowhere"}, "nowhere: no such dataset"},
    {{TRAIN, MODEL, "--test", "missing.csv"}, "missing.csv: "},
    {{TRAIN}, "no model: expected --model, --from or --resume"},
    {{TRAIN, MODEL, "--from", "@t"}, "--model and --from: expected one of them"},
    {{TRAIN, "--model", "lineer 10"}, "'lineer 10'"},
    {{TRAIN, "--model", "linear 0"}, "linear"},
    {{TRAIN, "--model", ""}, "--model '': expected TEXT"},
    {{TRAIN, "--model", "linear 3"}, "has 10 classes, the model gives 3 scores"},
    {{TRAIN, "--from", "@t"}, "notes.txt: "},
    {{TRAIN, "--from", "missing"}, "--from 'missing': cannot be read"},
    {{"train", "-o", "out", MODEL}, "--data DATA is missing"},
    {{"train", "--data", "@", MODEL}, "--out FILE is missing: the file to be written"},
    {{"train", "--data", "nowhere", MODEL, "-o", "out"}, "nowhere: no such dataset"},
    {{"train", "--data", "mnsit", MODEL, "-o", "out"}, "a folder with IDX files, or the name of a CSV or NPY file"},
    {{"train", "--data", "x.npy", MODEL, "-o", "out"}, "x.npy: an NPY file holds the inputs only: --targets"},
    {{"train", "--data", "@", MODEL, "-o", "missing/out"}, "--out 'missing/out': cannot be written"},
    {{"train", "--data", "@", MODEL, "-o", "/dev/null"}, "--out '/dev/null': cannot be written: not a regular file"},
    {{"train", "--data", "@", MODEL, "-o", "here/"}, "--out 'here/': expected the name of a file"},
    {{"train", "--data", "@", MODEL, "-o", "out", "--checkpoint", "no/c"}, "--checkpoint 'no/c': cannot be written"},
    {{"quantize"}, "MODEL is missing"},
    {{"quantize", "missing", "--data", "@", "-o", "out"}, "MODEL 'missing': cannot be read"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--bits", "w9a0"}, "--bits 'w9a0': expected wNaM"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--group", "6", "--granularity", "group"},
     "--group 6: expected a multiple of 4"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--observer", "oracle"}, "--observer 'oracle': expected min-max"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--backward", "int9"}, "--backward 'int9'"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--batch-norm", "flod"}, "--batch-norm 'flod'"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--input-bits", "9"}, "--input-bits '9'"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--accumulator-bits", "7"}, "--accumulator-bits '7'"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--method", "rtn"},
     "--method 'rtn': expected one of nearest, mse,"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--method", ""}, "--method '': expected NAME,..."},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--method", "cle,"}, "--method '': expected one of"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--method", "mse,cle,mse"}, "--method 'mse': it is there twice"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--method", "mse,gptq"},
     "--method 'gptq': both it and 'mse' round"},
    {{"quantize", "@t", "--data", "nowhere", "-o", "out", "--weights", "lsq", "--method", "gptq"},
     "--weights lsq and --method: expected one of them"},
    {{"quantize", "@t", "--data", "nowhere", "-o", "out", "--weights", "unit", "--size-limit", "10k"},
     "--weights unit and --size-limit: expected one of them"},
    {{"quantize", "@t", "--data", "nowhere", "-o", "out", "--storage", "nf4", "--size-limit", "10k"},
     "--size-limit and --storage: expected one of them"},
    {{"verify", "@t", "--data", "nowhere", "--without", "qnnx"}, "--without: "},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--layer", "fc1"}, "--layer 'fc1': expected NAME=wNaM"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--layer", "fc1=w8,"}, "--layer '': expected NAME=wNaM"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--size-limit", "40K"}, "--size-limit '40K': expected bytes"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--size-limit", "0"}, "--size-limit '0': expected bytes"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--size-limit", "-1"}, "--size-limit '-1': expected bytes"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--size-limit", "4k", "--layer", "a=w8"},
     "--layer: with --size-limit"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--size-limit", "4k", "--bits", "w4a4"},
     "--bits w4a4: with --size-limit the weights' bits are chosen; expected w8a4"},
    {{"train", "--data", "@", MODEL, "-o", "out", "--method", "mse"}, "'--method': unknown option"},
    {{"quantize", "@t", "@t", "--data", "@", "-o", "out"}, "expected one argument"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--storage", "fp4"}, "--storage 'fp4': expected f16, bf16, e4m3"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--storage", "nf4", "--bits", "w4a8"}, "--bits and --storage: exp"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--storage", "nf4", "--weights", "lsq"},
     "--weights and --storage:"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--storage", "nf4", "--activations", "pact"},
     "--activations and --storage: expected one of them"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--storage", "nf4", "--method", "mse"},
     "--method and --storage: ex"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--storage", "nf4", "--layer", "a=w4"},
     "--layer and --storage: ex"},
    {{"quantize", "@t", "--data", "@", "-o", "out", "--storage", "bf16", "--granularity", "tensor"},
     "--granularity: --storage bf16 takes none"},
    {{TRAIN, MODEL, "--watch-oscillation"},
     "--watch-oscillation: goes with a model of integer weights only; this one's are fp32"},
    {{TRAIN, MODEL, "--damping", "1e-5"}, "--damping: goes with a model of integer weights only"},
    {{TRAIN, MODEL, "--damping", "0"}, "--damping '0': expected a number in"},
    {{TRAIN, MODEL, "--freeze-oscillation", "0.01"}, "--freeze-oscillation: goes with a model of integer weights"},
    {{TRAIN, MODEL, "--freeze-oscillation", "2"}, "--freeze-oscillation '2': expected a number in 1e-06..1"},
    {{"formats", "@t"}, "--data DATA is missing"},
    {{"formats", "@t", "--data", "@"}, "notes.txt: not a safetensors file: "},
    {{"formats", "@t", "--data", "@", "--granularity", "row"},
     "--granularity 'row': expected channel, tensor or group"},
    {{"formats", "@t", "--data", "@", "--granularity", "tensor", "--group", "8"}, "--group: goes with --granularity"},
    {{"formats", "@t", "--data", "@", "--granularity", "group", "--group", "5"}, "--group 5: expected a multiple of 4"},
    {{"formats", "@t", "--data", "@", "--group", "10"}, "--group 10: expected a multiple of 4"},
    {{"freeze", "@t", "-o", "out"}, "notes.txt: not a safetensors file: "},
    {{"run", "@t", "--data", "@", "-o", "logits.txt"}, "--out 'logits.txt': expected a name that ends in .npy or .csv"},
    {{"run", "@t", "--data", "@", "--examples", "0"}, "--examples '0': expected a whole number from 1"},
    {{"run", "@t", "--data", "@", "--require-accuracy", "101"},
     "--require-accuracy '101': expected a number in 0..100"},
    {{"verify", "@t", "--data", "@"}, "notes.txt: "},
    {{"export", "pdf", "@t", "-o", "out"}, "FORMAT 'pdf': expected c, onnx or safetensors"},
    {{"export", "c", "-o", "out"}, "MODEL is missing"},
    {{"export", "onnx", "@t", "-o", "out.onnx", "--name", "x"}, "--name: goes with c, not with onnx"},
    {{"export", "c", "@t", "-o", "missing/out"}, "--out 'missing/out': cannot be written"},
    {{"man", "-o", "@t"}, "cannot be written: no folder"},
    {{"export", "c", "@t", "-o", "@t"}, "notes.txt': is the file of MODEL; it would be lost"},
    {{"export", "onnx", "@t", "-o", "@t"}, "notes.txt': is the file of MODEL"},
    {{"export", "safetensors", "@t", "-o", "@t"}, "notes.txt': is the file of MODEL"},
    {{"freeze", "@t", "-o", "@t"}, "notes.txt': is the file of MODEL"},
    {{"import", "@t", "-o", "@t"}, "notes.txt': is the file of FILE"},
    {{"train", "--data", "@t", MODEL, "-o", "@t"}, "notes.txt': is the file of --data"},
    {{TRAIN, MODEL, "--weights", "@t", "--checkpoint", "@t"}, "notes.txt': is the file of --weights"},
    {{"import", "@t", "-o", "out"}, "notes.txt: "},
    {{"inspect", "@t"}, "notes.txt: "},
    {{"inspect", "missing.onnx"}, "FILE 'missing.onnx': cannot be read"},
    {{"report", "@t", "--data", "@"}, "notes.txt: "},
    {{"report", "@t"}, "--data DATA is missing"},
    {{"report", "@t", "--data", "@", "--frontier", "w4a4,w9a0"}, "--frontier: bits 'w9a0': expected wNaM"},
    {{"report", "@t", "--data", "@", "-o", "missing/r.html"}, "--out 'missing/r.html': cannot be written"},
    {{"report", "@t", "--data", "@", "--against", "missing"}, "--against 'missing': cannot be read"},
    {{"memory"}, "expected --params or a MODEL"},
    {{"memory", "@t", "--params", "7B"}, "expected --params or a MODEL, not both"},
    {{"memory", "@t"}, "notes.txt: "},
    {{"memory", "--params", "7Q"}, "--params: '7Q': expected a whole number of parameters"},
    {{"memory", "--params", "7B", "--dtype", "fp16,int9"}, "--dtype: 'int9': expected fp32, fp16"},
    {{"memory", "--params", "7B", "--train", "lion"}, "--train 'lion': expected adam, adam8bit or sgd"},
    {{"memory", "--params", "7B", "--no-master"}, "--no-master: goes with --train only"},
    {{"memory", "--params", "7B", "--card", "big"}, "--card: 'big': expected a size"},
    {{"memory", "--params", "7B", "--layers", "32"}, "--layers, --context, and --hidden or --kv-heads"},
    {{"memory", "--params", "7B", "--layers", "2", "--context", "9", "--kv-heads", "8"}, "--kv-heads: goes with"},
    {{"memory", "--params", "7B", "--hidden", "9", "--kv-heads", "8"}, "a cache of keys and values"},
    {{"help", "trian"}, "; did you mean train?"},
    {{"help", "me"}, "COMMAND 'me': expected train"},
    {{"completion", "tcsh"}, "SHELL 'tcsh': expected bash, zsh or fish"},
    {{"completion"}, "SHELL is missing: bash, zsh or fish"},
    {{"man", "-o", "missing/folder"}, "--folder 'missing/folder': cannot be written"},
};
enum { BAD_LINES = sizeof bad_lines / sizeof bad_lines[0] };

START_TEST(a_bad_command_line_is_one_line_and_2) {
  const char *data = command_write_data("data"), *arguments[17] = {0};
  char notes[1024];
  snprintf(notes, sizeof notes, "%s", scratch_write("notes.txt", "no model\n", 9));
  for (int i = 0; bad_lines[_i].arguments[i]; i++) {
    const char *word = bad_lines[_i].arguments[i];
    arguments[i] = strcmp(word, "@") == 0 ? data : strcmp(word, "@t") == 0 ? notes : word;
  }
  const run *r = command_run("run", NULL, arguments);
  command_refused(r, bad_lines[_i].says, "");
  ck_assert_str_eq(r->out, "");
}
END_TEST

/* What a link leads to counts, not the folder that the link is in. */
START_TEST(a_link_into_a_missing_folder_is_told_before_the_work) {
  char link[1024];
  const char *data = command_write_data("data");
  snprintf(link, sizeof link, "%s", scratch_path("link"));
  ck_assert_int_eq(symlink("missing/file", link), 0);
  const run *r = RUN("train", "--data", data, "--model", "linear 10", "-o", link);
  command_refused(r, "link': cannot be written: No such file", "");
  ck_assert_int_eq(remove(link), 0);
}
END_TEST

#define ROW(name) COMMAND_##name,
enum {
#include "command_list.h"
  COMMANDS
};
#undef ROW

/* ---- Help ------------------------------------------------------------------------------------------------------- */

START_TEST(help_names_every_option_of_the_table) {
  const command *of = commands[_i];
  const run *r = RUN(of->name, "--help");
  expect_run(r, 0, "");
  expect_in(r->out, of->summary);
  for (int i = 0; i < EXAMPLES && of->examples[i].line; i++) expect_in(r->out, of->examples[i].line);
  for (int i = 0; i < POSITIONALS && of->positionals[i].name; i++) expect_in(r->out, of->positionals[i].name);
  for (int i = 0; i < OPTION_COUNT; i++) {
    char name[64];
    snprintf(name, sizeof name, "--%s ", options[i].name);
    if (!options[i].argument) snprintf(name, sizeof name, "--%s", options[i].name);
    if (command_takes(of, i)) expect_in(r->out, name);
  }
  for (const char *end = r->out; (end = strstr(end, " \n")); end++) ck_abort_msg("a space at a line's end: %s", end);
}
END_TEST

static int lines_are_equal(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

/* rung, rung --help and rung help are one text; rung help train and rung train -h are, too. */
START_TEST(help_is_asked_for_in_several_ways) {
  static run first;
  first = *RUN("help");
  expect_run(&first, 0, "");
  for (int i = 0; i < command_count; i++) expect_in(first.out, commands[i]->summary);
  expect_in(first.out, "rung train --data mnist");
  ck_assert(lines_are_equal(first.out, RUN("--help")->out));
  ck_assert(lines_are_equal(first.out, RUN("-h")->out));
  ck_assert(lines_are_equal(first.out, command_run("run", NULL, (const char *const[]){NULL})->out));
  first = *RUN("help", "train");
  ck_assert(lines_are_equal(first.out, RUN("train", "-h")->out));
  ck_assert(lines_are_equal(first.out, RUN("train", "--data", "nowhere", "--help", "--epochs", "x")->out));
}
END_TEST

START_TEST(the_table_is_sound) {
  ck_assert_int_eq(command_count, COMMANDS);
  for (int i = 0; i < command_count; i++) {
    const command *of = commands[i];
    ck_assert_msg(of->examples[0].line != NULL, "%s: no example", of->name);
    for (int a = 0; a < OPTION_COUNT; a++)
      for (int b = a + 1; b < OPTION_COUNT; b++) {
        if (!command_takes(of, a) || !command_takes(of, b)) continue;
        ck_assert_msg(strcmp(options[a].name, options[b].name) != 0, "%s: --%s twice", of->name, options[a].name);
        bool same_letter = options[a].letter && options[a].letter == options[b].letter;
        ck_assert_msg(!same_letter, "%s: -%c twice", of->name, options[a].letter);
      }
  }
  for (int i = 0; i < OPTION_COUNT; i++) {
    bool taken = false;
    for (int j = 0; j < command_count; j++) taken = taken || command_takes(commands[j], i);
    ck_assert_msg(taken, "--%s: no command takes it", options[i].name);
    ck_assert_msg((options[i].kind == KIND_FLAG) == !options[i].argument, "--%s: flag or not?", options[i].name);
    ck_assert_msg((options[i].kind == KIND_CHOICE) == (options[i].choice != NULL), "--%s", options[i].name);
  }
}
END_TEST

/* ---- What is made from the table -------------------------------------------------------------------------------- */

static const char *const shells[] = {"bash", "zsh", "fish"};

START_TEST(completion_names_every_command_and_option) {
  const run *r = RUN("completion", shells[_i]);
  expect_run(r, 0, "");
  for (int i = 0; i < command_count; i++) expect_in(r->out, commands[i]->name);
  for (int i = 0; i < OPTION_COUNT; i++) expect_in(r->out, options[i].name);
  scratch_write("script", r->out, strlen(r->out));
  char check[256];
  snprintf(check, sizeof check, "! command -v %s >/dev/null || %s -n \"$1\"", shells[_i], shells[_i]);
  expect_shell(check, scratch_path("script"));
}
END_TEST

/* What bash offers for "rung <words>". */
static const char *offered(const char *words) {
  static char out[TEXT];
  char line[1024];
  snprintf(line, sizeof line,
           "cd \"$(dirname \"$1\")\"; . ./script; COMP_WORDS=(rung %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "
           "_rung; printf '%%s ' \"${COMPREPLY[@]}\" > offered",
           words);
  expect_shell(line, scratch_path("script"));
  command_read(scratch_path("offered"), out);
  return out;
}

START_TEST(bash_completes) {
  const run *r = RUN("completion", "bash");
  scratch_write("script", r->out, strlen(r->out));
  ck_assert_str_eq(offered("qu"), "quantize ");
  ck_assert_str_eq(offered("train --opt"), "--optimizer ");
  ck_assert_str_eq(offered("train --optimizer ad"), "adam adamw adam8bit ");
  ck_assert_str_eq(offered("export on"), "onnx ");
  ck_assert_str_eq(offered("freeze --da"), " ");
}
END_TEST

START_TEST(man_pages_are_written_and_sound) {
  const run *r = RUN("man", "-o", "pages");
  expect_run(r, 0, "pages ");
  char names[1024], path[256];
  command_list(scratch_path("run/pages"), names);
  expect_in(names, "rung.1 ");
  for (int i = 0; i < command_count; i++) {
    snprintf(path, sizeof path, "rung-%s.1 ", commands[i]->name);
    expect_in(names, path);
  }
  static run page;
  page = *RUN("man", "train");
  expect_run(&page, 0, "");
  for (int i = 0; i < OPTION_COUNT; i++) {
    char name[128] = "\\-\\-"; /* as roff has it */
    for (const char *c = options[i].name; *c; c++)
      snprintf(name + strlen(name), sizeof name - strlen(name), *c == '-' ? "\\-" : "%c", *c);
    if (command_takes(&train_command, i)) expect_in(page.out, name);
  }
  RUN("man", "-o", "pages");
  expect_shell("command -v groff >/dev/null || exit 77; for page in \"$1\"/*.1; do "
               "[[ -z $(groff -ww -man -Tutf8 -z \"$page\" 2>&1) ]] || exit 1; done",
               scratch_path("run/pages"));
}
END_TEST

START_TEST(version_says_what_it_is) {
  const run *r = RUN("version");
  expect_run(r, 0, "");
  expect_in(r->out, "rung ");
  expect_in(r->out, " kernels; ");
  expect_run(RUN("--version"), 0, "");
  r = RUN("version", "--json");
  expect_run(r, 0, "");
  expect_json(r->out, "assert set(r) == {'version', 'kernels', 'json', 'onnx', 'charts'} and r['json'] is True, r");
}
END_TEST

/* Nothing half-printed counts as printed. */
START_TEST(a_full_disk_is_noticed) {
  if (access("/dev/full", W_OK) != 0) test_skip("no /dev/full");
  expect_shell("\"$1\" help >/dev/full 2>/dev/null; [[ $? == 2 ]]", RUNG_COMMAND);
}
END_TEST

TEST_MAIN(CASES(a_bad_command_line_is_one_line_and_2, BAD_LINES),
          CASE(a_link_into_a_missing_folder_is_told_before_the_work),
          CASES(help_names_every_option_of_the_table, COMMANDS), CASE(help_is_asked_for_in_several_ways),
          CASE(the_table_is_sound), CASES(completion_names_every_command_and_option, 3), CASE(bash_completes),
          CASE(man_pages_are_written_and_sound), CASE(version_says_what_it_is), CASE(a_full_disk_is_noticed))
