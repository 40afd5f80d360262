/* Every option: ROW(ID, GROUP, "name", letter, kind and default, help). Help shows them in this order. */

/* clang-format off */
ROW(DATA, DATA, "data", 'd', TEXT("DATA", NULL),
    "mnist, fashion-mnist, letters, a folder with the four IDX files, a FILE.csv, or INPUTS.npy with --targets")
ROW(TARGETS, DATA, "targets", 0, TEXT("WHERE", NULL),
    "NPY: the file with the labels or targets. CSV with --task regression: the target columns, such as last, \"last 3\", or names with commas between; by default last")
ROW(LABEL, DATA, "label", 0, TEXT("COLUMN", "last"),
    "CSV: the column of the class: first, last, or a name of the header")
ROW(TASK, DATA, "task", 0, CHOICE("TASK", "classification", task_name),
    "CSV: what the targets are; an NPY file tells by its type")
ROW(PIXELS, DATA, "pixels", 0, FLAG,
    "CSV: the inputs are whole numbers 0..255, kept as bytes, each standing for its 255th part")
ROW(TEST, DATA, "test", 't', TEXT("DATA", NULL),
    "what to test on; by default the test part of mnist, fashion-mnist, letters or the IDX folder, of others nothing")
ROW(TEST_TARGETS, DATA, "test-targets", 0, INPUT("FILE.npy", NULL),
    "the labels or targets of --test, if that is an NPY file")
ROW(VALIDATION, DATA, "validation", 0, TEXT("N", "0"),
    "training examples held out from the end and tested on after each epoch: a number, or a share such as 0.1")
ROW(EXAMPLES, DATA, "examples", 'n', WHOLE("N", NULL, 1, INT64_MAX),
    "only the first N examples")
ROW(CALIBRATE, DATA, "calibrate", 0, WHOLE("N", "1000", 1, INT64_MAX),
    "training examples from which the ranges of the activations are taken")

ROW(MODEL, MODEL, "model", 'm', TEXT("TEXT", NULL),
    "the layers, the last one with as many outputs as classes or targets: \"linear 256, relu, linear 10\"")
ROW(FROM, MODEL, "from", 0, INPUT("FILE", NULL),
    "go on from a model that rung wrote, quantized or not")
ROW(WEIGHTS, MODEL, "weights", 'w', INPUT("FILE", NULL),
    "begin with these weights: safetensors with the names and shapes of PyTorch (fc1.weight [out, in], ...)")
ROW(INPUT, MODEL, "input", 0, TEXT("SHAPE", NULL),
    "the shape of one example: 28x28, 784")
ROW(LOSS, MODEL, "loss", 0, CHOICE("LOSS", NULL, loss_name),
    "what is made small; by default cross-entropy, of a regression squared-error")

ROW(EPOCHS, TRAINING, "epochs", 'e', WHOLE("N", "10", 1, 100000),
    "passes over the training examples")
ROW(BATCH, TRAINING, "batch", 'b', WHOLE("N", NULL, 1, 65536),
    "examples a step; by default 64, or as many as the model was trained with")
ROW(RATE, TRAINING, "rate", 'r', NUMBER("R", NULL, 1e-9, 10),
    "learning rate; by default 1e-3, of a quantized model 2e-4 at 8 bits and 1e-3 below")
ROW(SCHEDULE, TRAINING, "schedule", 0, CHOICE("NAME", "cosine", schedule_name),
    "how the rate goes on: down to 0 along a cosine, constant, or divided in steps")
ROW(WARM_UP, TRAINING, "warm-up", 0, WHOLE("N", "0", 0, INT32_MAX),
    "steps over which the rate first rises")
ROW(PERIOD, TRAINING, "period", 0, WHOLE("N", NULL, 1, INT32_MAX),
    "--schedule step: steps between two drops of the rate; by default a third of all")
ROW(FACTOR, TRAINING, "factor", 0, NUMBER("F", "0.1", 1e-9, 1),
    "--schedule step: what the rate is multiplied by at a drop")
ROW(OPTIMIZER, TRAINING, "optimizer", 0, CHOICE("NAME", "adam", optimizer_name),
    "what moves the weights")
ROW(MOMENTUM, TRAINING, "momentum", 0, NUMBER("M", NULL, 0, 0.9999),
    "of sgd, by default 0; of adam, adamw and adam8bit (beta1), by default 0.9")
ROW(NESTEROV, TRAINING, "nesterov", 0, FLAG,
    "sgd: Nesterov's momentum")
ROW(WEIGHT_DECAY, TRAINING, "weight-decay", 0, NUMBER("D", "0", 0, 10),
    "pulls the weights towards 0")
ROW(CLIP_NORM, TRAINING, "clip-norm", 0, NUMBER("C", NULL, 1e-9, 1e9),
    "a longer gradient is shortened to this length; by default it is not")
ROW(NO_SHUFFLE, TRAINING, "no-shuffle", 0, FLAG,
    "take the examples in their order")
ROW(PRUNE, TRAINING, "prune", 0, NUMBER("S", NULL, 1e-6, 0.999999),
    "set this share of the weights to 0 for good, 0.9 for 9 of 10; or remove that share of the hidden neurons")
ROW(PRUNE_METHOD, TRAINING, "prune-method", 0, TEXT("METHOD", "magnitude"),
    "which: magnitude, the smallest weights of all layers together; per-layer; neurons, those that are worth least for the weights they take; neurons-per-layer; or N:M, as in 2:4, the N largest of every M neighbours stay (without --prune)")
ROW(PRUNE_EPOCHS, TRAINING, "prune-epochs", 0, WHOLE("N", NULL, 0, 100000),
    "--prune: epochs over which its share is reached; 0: at the start; by default half of --epochs")
ROW(TEACHER, TRAINING, "teacher", 0, INPUT("FILE", NULL),
    "distillation: learn also from what this model says, in FP32 or quantized; of the same inputs and classes")
ROW(TEMPERATURE, TRAINING, "temperature", 0, NUMBER("T", "4", 1e-3, 1e3),
    "--teacher: softens what both say")
ROW(ALPHA, TRAINING, "alpha", 0, NUMBER("A", "0.9", 1e-6, 1),
    "--teacher: its share of the loss; the rest is that of the labels")
ROW(WATCH, TRAINING, "watch-oscillation", 0, FLAG,
    "a quantized model: count how often its integers change, and how many hop to and fro")
ROW(DAMPING, TRAINING, "damping", 0, NUMBER("LAMBDA", NULL, 1e-12, 1e3),
    "a quantized model: draws weights to the middle of their integers, 1e-5 or so; counts as well")
ROW(FREEZE, TRAINING, "freeze-oscillation", 0, NUMBER("F", NULL, 1e-6, 1),
    "a quantized model: a weight that hops more often than this, 0.01 for one step in 100, stays what it mostly was; counts as well")
ROW(SEED, TRAINING, "seed", 's', WHOLE("N", "1", 0, INT64_MAX),
    "of the first weights, the order of the examples, and dropout; a model from a file keeps its own")
ROW(CHECKPOINT, TRAINING, "checkpoint", 'c', OUTPUT("FILE", NULL),
    "write all that is needed to go on after each epoch and on Ctrl-C; by default to the FILE of -o with .checkpoint behind it, which is removed at the end")
ROW(CHECKPOINT_STEPS, TRAINING, "checkpoint-steps", 0, WHOLE("N", NULL, 1, INT64_MAX),
    "and after every N steps")
ROW(RESUME, TRAINING, "resume", 0, INPUT("FILE", NULL),
    "go on from a checkpoint: the same command with this added gives the weights, to the last bit, that it would have given without a stop")

ROW(BITS, QUANTIZING, "bits", 0, TEXT("wNaM", "w8a8"),
    "bits of weights, N, and of activations, M, each in 1..8")
ROW(INPUT_BITS, QUANTIZING, "input-bits", 0, WHOLE("N", NULL, 1, 8),
    "bits of the inputs; by default 8-bit inputs stay as they are, others get those of activations")
ROW(ACCUMULATOR_BITS, QUANTIZING, "accumulator-bits", 0, WHOLE("N", NULL, 8, 32),
    "weights kept small enough that accumulators of N bits hold every sum of products (docs/accumulators.md)")
ROW(METHOD, QUANTIZING, "method", 0, TEXT("NAME,...", NULL),
    "what is done to the weights: one of nearest, mse, gptq and adaround rounds them; before that cle, smoothquant and awq move scales between layers; bias-correction comes last")
ROW(LAYER, QUANTIZING, "layer", 0, TEXT("NAME=wNaM,...", NULL),
    "bits of single layers in place of --bits, as in fc1=w8a8,fc3=w4: of their weights, and of what they put out; the last one puts out logits, which have none")
ROW(SIZE_LIMIT, QUANTIZING, "size-limit", 0, TEXT("BYTES", NULL),
    "choose the weight bits of each layer, 2..8, so that the parameters take at most so many bytes (40000, 40k, 1M) and the network's output suffers least")
ROW(GRANULARITY, QUANTIZING, "granularity", 0, CHOICE("WHAT", "channel", granularity_name),
    "one scale of weights per channel, per tensor, or per --group of a channel")
ROW(GROUP, QUANTIZING, "group", 0, WHOLE("N", "32", 4, 1048576),
    "--granularity group: inputs a group, a multiple of 4")
ROW(WEIGHT_METHOD, QUANTIZING, "weights", 0, CHOICE("METHOD", "max", weight_method_name),
    "how weights come by their scale: from the largest (max), learned (lsq), dorefa, ternary at 2 bits, or constant (unit)")
ROW(ACTIVATION_METHOD, QUANTIZING, "activations", 0, CHOICE("METHOD", "observed", activation_method_name),
    "how activations come by theirs: observed, learned (lsq), by a learned clip (pact), or constant (unit)")
ROW(CLIP_DECAY, QUANTIZING, "clip-decay", 0, NUMBER("D", "2e-4", 0, 10),
    "--activations pact: pulls the clip towards 0")
ROW(STORAGE, QUANTIZING, "storage", 0, CHOICE("FORMAT", NULL, storage_name),
    "in place of --bits: the weights are simulated in this format, all else in f32; to be trained on, and not frozen")
ROW(OBSERVER, QUANTIZING, "observer", 0, CHOICE("NAME", NULL, observer_name),
    "how ranges of activations are chosen; by default moving-average at 5 bits and more, mse below")
ROW(PERCENTILE, QUANTIZING, "percentile", 0, NUMBER("P", "0.9999", 0.5, 1),
    "--observer percentile: the share of values inside of the range, 0.5..1; 0.9999 is 99.99 %")
ROW(RANGES, QUANTIZING, "ranges", 0, CHOICE("WHEN", "delayed", ranges_name),
    "in training a step quantizes by the range before it, or by one that has this batch in it")
ROW(SIGNED, QUANTIZING, "signed", 0, FLAG,
    "activations are int8 rather than uint8")
ROW(SYMMETRIC, QUANTIZING, "symmetric", 0, FLAG,
    "activations are int8 with zero point 0")
ROW(BACKWARD, QUANTIZING, "backward", 0, CHOICE("TYPE", "f32", backward_name),
    "what gradients are computed in when this model is trained on")
ROW(BATCH_NORM, QUANTIZING, "batch-norm", 0, CHOICE("HOW", "fold", batch_norm_name),
    "fold batch norms into the weights now, or merge them: they stay while this model is trained on, and end in multipliers and thresholds")

ROW(PARAMS, MEMORY, "params", 'p', TEXT("N", NULL),
    "so many parameters: 7B, 6.7B, 350M")
ROW(DTYPE, MEMORY, "dtype", 0, TEXT("TYPE,...", "fp32,fp16,int8,nf4"),
    "number formats: fp32, fp16, bf16, fp8, int8 .. int1, nf4 (4.127 bits); with -gN, as in int4-g128 and nf4-g64, an FP32 scale for every N weights")
ROW(TRAIN, MEMORY, "train", 0, CHOICE("OPTIMIZER", NULL, training_name),
    "count what training takes too")
ROW(NO_MASTER, MEMORY, "no-master", 0, FLAG,
    "--train: 16-bit weights are moved themselves, without an FP32 copy")
ROW(LAYERS, MEMORY, "layers", 'l', WHOLE("L", NULL, 1, 1000000),
    "KV cache: layers of attention")
ROW(HIDDEN, MEMORY, "hidden", 0, WHOLE("H", NULL, 1, 1000000000),
    "KV cache: numbers a token has, where all heads have keys of their own")
ROW(KV_HEADS, MEMORY, "kv-heads", 0, WHOLE("K", NULL, 1, 1000000),
    "KV cache: heads of keys and values, in place of --hidden, with --head-dim")
ROW(HEAD_DIM, MEMORY, "head-dim", 0, WHOLE("D", NULL, 1, 1000000),
    "KV cache: numbers in a head")
ROW(CONTEXT, MEMORY, "context", 0, WHOLE("T", NULL, 1, INT64_MAX),
    "KV cache: tokens that are kept")
ROW(SEQUENCES, MEMORY, "batch", 'b', WHOLE("B", "1", 1, INT64_MAX),
    "KV cache: sequences at a time")
ROW(CARD, MEMORY, "card", 0, TEXT("SIZE", "16GB"),
    "what has to hold it: 24GB (10^9 bytes), 24GiB (2^30)")

ROW(OUT, RESULTS, "out", 'o', OUTPUT("FILE", NULL),
    "the file to be written")
ROW(PATH, RESULTS, "out", 'o', TEXT("PATH", NULL),
    "the file, or for c the folder, to be written")
ROW(LOGITS, RESULTS, "out", 'o', OUTPUT("FILE", NULL),
    "the logits of every example, to a FILE.npy or FILE.csv")
ROW(REAL, RESULTS, "real", 0, FLAG,
    "--out: what the logits stand for, in f32, rather than the integers")
ROW(FOLDER, RESULTS, "folder", 'o', FOLDER("FOLDER", NULL),
    "the folder to be written into")
ROW(PAGE, RESULTS, "out", 'o', OUTPUT("FILE.html", NULL),
    "the page to be written; without it tables alone are printed")
ROW(AGAINST, RESULTS, "against", 0, INPUT("FILE", NULL),
    "the FP32 network that the model came from, and that it is held against; by default the FP32 weights behind its integers")
ROW(FRONTIER, RESULTS, "frontier", 0, TEXT("wNaM,...", "w8a8,w6a8,w5a8,w4a8,w3a8,w2a8,w6a6,w5a5,w4a4,w3a3,w2a2"),
    "the widths at which accuracy is set against size; none: not at all")
ROW(NAME, RESULTS, "name", 0, TEXT("NAME", "model"),
    "C: of the files and functions: NAME.c, NAME_run")
ROW(WITH_TEST, RESULTS, "with-test", 0, FLAG,
    "C: write NAME_test.c too, a program that checks a few examples")
ROW(BITS_PACKED, RESULTS, "bits-packed", 0, FLAG,
    "C: weights of 4 bits and fewer packed, and unpacked as they are used")
ROW(CMSIS, RESULTS, "cmsis", 0, FLAG,
    "C: use the SIMD instructions of Arm Cortex-M where the compiler has them; the same bits")
ROW(FLOAT, RESULTS, "float", 0, FLAG,
    "ONNX: the model in f32 rather than in integers")
ROW(WITHOUT, RESULTS, "without", 0, TEXT("WHAT,...", NULL),
    "leave these out, with commas between: fp32, simulated, evaluation, training, emitted, onnx")
ROW(COMPILER, RESULTS, "compiler", 0, TEXT("COMMAND", NULL),
    "the C compiler for the emitted code; by default $CC, else cc")
ROW(RUNNER, RESULTS, "runner", 0, TEXT("COMMAND", NULL),
    "what starts the program that it makes, such as qemu-aarch64")
ROW(PYTHON, RESULTS, "python", 0, TEXT("COMMAND", NULL),
    "a Python that has onnxruntime; by default $RUNG_PEERS_VENV/bin/python, else python3")
ROW(REQUIRE_ACCURACY, RESULTS, "require-accuracy", 0, NUMBER("P", NULL, 0, 100),
    "exit with 1 if the test accuracy is below P percent")

ROW(THREADS, ALWAYS, "threads", 'j', WHOLE("N", "0", 0, 256),
    "0: one a processor. The results are the same for any number")
ROW(QUIET, ALWAYS, "quiet", 'q', FLAG,
    "print nothing but errors")
ROW(JSON, ALWAYS, "json", 0, FLAG,
    "print one JSON object on standard output; progress goes to standard error")
ROW(HELP, ALWAYS, "help", 'h', FLAG,
    "this text")
/* clang-format on */
