#include "harness.h"
#include "problem.h"

#include "text/text.h"

static rung_model *from_text(const char *text) {
  rung_model *model = rung_model_from_text(text, &(rung_model_options){.batch = 4, .threads = 1, .seed = 3});
  ck_assert_msg(model != NULL, "%s: %s", text, rung_error());
  return model;
}

static void expect_text(const rung_model *model, const char *expected) {
  char *text = rung_model_text(model);
  ck_assert_msg(text != NULL, "%s", rung_error());
  ck_assert_str_eq(text, expected);
  rung_release(text);
}

/* ---- There and back --------------------------------------------------------------------------------------------- */

/* Each is its own text again. */
static const char *const texts[] = {
    "input 12; linear 40, relu, linear 24, relu, linear 4; cross-entropy",
    "input 28x28 as image; linear 10 as logits; squared-hinge",
    "input 3x4; linear 5 no-bias, batch-norm, relu6, dropout 0.2, linear 3 no-bias as out; squared-error",
    "input 12; reshape 3x2x2, reshape 12, linear 4, sigmoid, linear 4, tanh, linear 4, gelu; cross-entropy",
    "input 7; linear 2, batch-norm as n, linear 2, batch-norm momentum 0.01 epsilon 0.001; cross-entropy",
    "input 28; rescale 2 -1, dropout 0.2, linear 3 no-bias, batch-norm whole; squared-hinge",
    "input 28; rescale -0.5 0, linear 3, batch-norm whole epsilon 0.0001 as norm; cross-entropy",
    "input 7; linear 2 as fc2, linear 3 as fc1, linear 4; cross-entropy",
    "input 2x2x2x2x2; relu, dropout 0.000000000000001, linear 2; cross-entropy",
    "input 4; linear 3, dropout 0.1, dropout 0.3333333, dropout 0, linear 2",
    "input 9; linear 3 as layers.0, relu, linear 2 as layers.2; cross-entropy",
};
enum { TEXTS = sizeof texts / sizeof texts[0] };

START_TEST(a_text_comes_back) {
  rung_model *model = from_text(texts[_i]);
  expect_text(model, texts[_i]);
  rung_model_free(model);
}
END_TEST

START_TEST(spaces_and_defaults_do_not_matter) {
  rung_model *model =
      from_text(" input 12 as input ;\n linear 5  as fc1 , relu,\tlinear  4 xavier as fc2 ;cross-entropy ");
  expect_text(model, "input 12; linear 5, relu, linear 4; cross-entropy");
  rung_model_free(model);
}
END_TEST

/* They are told back as decimals, which are read again. */
START_TEST(numbers_may_have_exponents) {
  static const char told[] = "input 12; linear 5, batch-norm momentum 0.25 epsilon 0.0001, dropout 0.1; cross-entropy";
  rung_model *model = from_text("input 12; linear 5, batch-norm momentum 2.5E-01 epsilon 1e-4, dropout 1e-1; "
                                "cross-entropy");
  expect_text(model, told);
  rung_model_free(model);
  model = from_text(told);
  expect_text(model, told);
  rung_model_free(model);
  model = from_text("input 12; batch-norm epsilon 1e-5, linear 2"); /* the default */
  expect_text(model, "input 12; batch-norm, linear 2");
  rung_model_free(model);
}
END_TEST

/* The same nodes in the same order, and the same weights, as by hand. */
START_TEST(a_text_is_the_network_by_hand) {
  rung_model *hand = perceptron(1, 3);
  rung_model *text = rung_model_from_text("input 12 as x; linear 40, relu, linear 24, relu, linear 4; cross-entropy",
                                          &(rung_model_options){.batch = BATCH, .threads = 1, .seed = 3});
  ck_assert_msg(text != NULL, "%s", rung_error());
  rung_graph *a = rung_model_graph(hand), *b = rung_model_graph(text);
  ck_assert_int_eq(rung_graph_node_count(a), rung_graph_node_count(b));
  for (int i = 0; i < rung_graph_node_count(a); i++) {
    ck_assert_str_eq(rung_graph_node(a, i)->name, rung_graph_node(b, i)->name);
    ck_assert(rung_graph_node(a, i)->op == rung_graph_node(b, i)->op);
  }
  ck_assert_uint_eq(rung_model_hash(hand), rung_model_hash(text));
  expect_text(hand, "input 12 as x; linear 40, relu, linear 24, relu, linear 4; cross-entropy");
  rung_model_free(hand);
  rung_model_free(text);
}
END_TEST

START_TEST(xavier_is_another_beginning) {
  rung_model *he = from_text("input 12; linear 4"), *xavier = from_text("input 12; linear 4 xavier");
  ck_assert_uint_ne(rung_model_hash(he), rung_model_hash(xavier));
  rung_model_free(he);
  rung_model_free(xavier);
}
END_TEST

START_TEST(every_word_is_listed_and_understood) {
  ck_assert_int_eq(rung_layer_word_count(), TEXT_LAYERS);
  ck_assert_int_eq(rung_loss_word_count(), TEXT_LOSSES);
  ck_assert_ptr_null(rung_layer_word(TEXT_LAYERS).name);
  ck_assert_ptr_null(rung_loss_word(-1).name);
  static const char *const argument[] = {[TEXT_NOTHING] = "",
                                         [TEXT_COUNT] = " 3",
                                         [TEXT_FRACTION] = " 0.5",
                                         [TEXT_TWO_NUMBERS] = " 2 -1",
                                         [TEXT_SHAPE] = " 2x3"};
  for (int i = 0; i < TEXT_LAYERS; i++) {
    char text[128];
    snprintf(text, sizeof text, "input 6; %s%s, linear 3; %s", rung_layer_word(i).name,
             argument[text_layers[i].argument], rung_loss_word(i % TEXT_LOSSES).name);
    rung_model *model = from_text(text);
    expect_text(model, text);
    rung_model_free(model);
    ck_assert_uint_gt(strlen(rung_layer_word(i).help), 3);
  }
}
END_TEST

/* ---- What is refused -------------------------------------------------------------------------------------------- */

static const struct {
  const char *text, *says;
} bad[] = {
    {"input 12; lineer 256", "model text: 'lineer 256': expected one of linear, batch-norm, relu,"},
    {"input 12; linear", "model text: 'linear': expected linear OUT [no-bias]"},
    {"input 12; linear 0", "model text: 'linear 0': expected linear OUT"},
    {"input 12; linear -3", "'linear -3': expected linear OUT"},
    {"input 12; linear 3.5", "'linear 3.5': expected linear OUT"},
    {"input 12; linear 99999999999999999999", "'linear 99999999999999999999': expected linear OUT"},
    {"input 12; linear 999999999999999999", "overflows"},
    {"input 12; linear 3 nobias", "'linear 3 nobias': expected linear OUT"},
    {"input 12; linear 3 as", "'linear 3 as': expected linear OUT"},
    {"input 12; linear 3 epsilon 0.1", "'linear 3 epsilon 0.1': expected linear OUT"},
    {"input 12; linear 3 as a, linear 3 as a", "the name 'a.weight' is taken"},
    {"input 12; relu 3", "model text: 'relu 3': expected relu"},
    {"input 12; linear 3,, relu", "model text: nothing stands between two commas: expected a layer"},
    {"input 12; linear 3, ; cross-entropy", "model text: nothing stands behind the last comma: expected a layer"},
    {"input 12; , linear 3", "model text: nothing stands before the first comma: expected a layer"},
    {"input 12; ", "model text: '': expected one of linear"},
    {"input 12; dropout", "'dropout': expected dropout P"},
    {"input 12; dropout 0.2.1", "'dropout 0.2.1': expected dropout P"},
    {"input 12; dropout 0,5", "'5': expected one of linear"},
    {"input 12; dropout 1", "dropout: probability 1"},
    {"input 12; dropout 1e", "'dropout 1e': expected dropout P"},
    {"input 12; dropout 1e-", "'dropout 1e-': expected dropout P"},
    {"input 12; dropout 1e-1x", "'dropout 1e-1x': expected dropout P"},
    {"input 12; dropout 1e-30", "'dropout 1e-30': expected dropout P"},
    {"input 12; dropout .", "'dropout .': expected dropout P"},
    {"input 12; batch-norm momentum 0", "'batch-norm momentum 0': expected batch-norm [whole]"},
    {"input 12; rescale 2", "'rescale 2': expected rescale SCALE OFFSET"},
    {"input 12; rescale 2 --1", "'rescale 2 --1': expected rescale SCALE OFFSET"},
    {"input 12; batch-norm momentum 2", "momentum 2"},
    {"input 12; reshape 3x5", "reshape"},
    {"input 12; reshape 3x", "'reshape 3x': expected reshape SHAPE"},
    {"input 12; reshape 1x1x1x1x1x12", "'reshape 1x1x1x1x1x12': expected reshape SHAPE"},
    {"linear 12", "model text: 'linear 12': expected input SHAPE [as NAME]"},
    {"", "model text: '': expected input SHAPE [as NAME]"},
    {"input", "'input': expected input SHAPE"},
    {"input 0", "'input 0': expected input SHAPE"},
    {"input 12 image", "'input 12 image': expected input SHAPE"},
    {"input 12; linear 3; cross", "model text: 'cross': expected one of cross-entropy, squared-hinge, squared-error"},
    {"input 12; linear 3; cross-entropy 3", "'cross-entropy 3': expected one of cross-entropy"},
    {"input 12; linear 3; ", "model text: '': expected one of cross-entropy"},
    {"input 12; linear 3; cross-entropy; relu", "model text: ' relu': expected nothing behind the loss"},
    {"input 12; a b c d e f g h i j k l m", "expected fewer words"},
};
enum { BAD = sizeof bad / sizeof bad[0] };

START_TEST(a_bad_text_is_one_line_that_names_the_piece) {
  ck_assert_ptr_null(rung_model_from_text(bad[_i].text, NULL));
  ck_assert_int_ne(rung_error_status(), RUNG_OK);
  ck_assert_msg(strstr(rung_error(), bad[_i].says) && !strchr(rung_error(), '\n'), "'%s' lacks '%s'", rung_error(),
                bad[_i].says);
}
END_TEST

START_TEST(a_long_piece_is_refused) {
  char text[2000] = "input 12; ";
  memset(text + strlen(text), 'x', 1500);
  ck_assert_ptr_null(rung_model_from_text(text, NULL));
  ck_assert_ptr_nonnull(strstr(rung_error(), "at most 255 characters"));
  ck_assert_ptr_null(rung_model_from_text(NULL, NULL));
  ck_assert_ptr_nonnull(strstr(rung_error(), "NULL"));
}
END_TEST

/* Recording is sticky: the first piece at fault stays the message. */
START_TEST(recording_is_sticky) {
  rung_model *model = rung_model_new(NULL);
  rung_node *x = rung_record_text(rung_input(model, "x", RUNG_SHAPE(4)), "linear 3, rolu, linear");
  ck_assert_ptr_null(rung_loss_text(rung_record_text(x, "linear 2"), "nothing"));
  REFUSED(rung_model_status(model), RUNG_ERROR_ARGUMENT, "model text: 'rolu': expected one of");
  ck_assert_ptr_null(rung_model_text(model));
  ck_assert_ptr_nonnull(strstr(rung_error(), "rolu"));
  rung_model_free(model);
}
END_TEST

/* ---- Models that have no text ----------------------------------------------------------------------------------- */

static rung_model *model_new(void) {
  return rung_model_new(&(rung_model_options){.batch = 4, .threads = 1});
}

static void expect_no_text(rung_model *model, const char *says) {
  ck_assert_msg(rung_model_status(model) == RUNG_OK, "%s", rung_error());
  ck_assert_ptr_null(rung_model_text(model));
  ck_assert_int_eq(rung_error_status(), RUNG_ERROR_UNSUPPORTED);
  ck_assert_msg(strstr(rung_error(), says) != NULL, "'%s' lacks '%s'", rung_error(), says);
  rung_model_free(model);
}

START_TEST(what_is_no_chain_has_no_text) {
  rung_model *model = model_new();
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(4)), *y = rung_linear(x, "fc1", 4);
  rung_loss_cross_entropy(rung_add(y, rung_relu(y)));
  expect_no_text(model, "(add) is no layer of a chain");

  model = model_new();
  x = rung_input(model, "x", RUNG_SHAPE(4));
  rung_linear(x, "fc1", 4);
  rung_loss_cross_entropy(rung_linear(x, "fc2", 4));
  expect_no_text(model, "is no layer of a chain");

  expect_no_text(model_new(), "no input");

  model = model_new();
  rung_loss_cross_entropy(rung_relu(rung_input(model, "x, y", RUNG_SHAPE(4))));
  expect_no_text(model, "'x, y'");

  model = model_new();
  rung_loss_cross_entropy(rung_linear(rung_input(model, "x", RUNG_SHAPE(4)), "a b", 3));
  expect_no_text(model, "unusual names");

  model = model_new();
  rung_loss_cross_entropy(rung_input(model, "x", RUNG_SHAPE(4)));
  expect_no_text(model, "is not the loss");
}
END_TEST

/* Recorded in another order its nodes would get other random numbers. */
START_TEST(another_order_of_recording_has_no_text) {
  rung_model *model = model_new();
  rung_node *weight = rung_graph_parameter(rung_model_graph(model), "fc1.weight", RUNG_SHAPE(3, 4));
  rung_loss_cross_entropy(rung_linear_with(rung_input(model, "x", RUNG_SHAPE(4)), weight, NULL));
  expect_no_text(model, "is not the one input");

  model = model_new();
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(4));
  rung_node *one = rung_graph_parameter(rung_model_graph(model), "fc1.weight", RUNG_SHAPE(4, 4));
  x = rung_linear_with(rung_linear_with(x, one, NULL), one, NULL);
  rung_loss_cross_entropy(x);
  expect_no_text(model, "shares parameters");
}
END_TEST

TEST_MAIN(CASES(a_text_comes_back, TEXTS), CASE(spaces_and_defaults_do_not_matter), CASE(numbers_may_have_exponents),
          CASE(a_text_is_the_network_by_hand), CASE(xavier_is_another_beginning),
          CASE(every_word_is_listed_and_understood), CASES(a_bad_text_is_one_line_that_names_the_piece, BAD),
          CASE(a_long_piece_is_refused), CASE(recording_is_sticky), CASE(what_is_no_chain_has_no_text),
          CASE(another_order_of_recording_has_no_text))
