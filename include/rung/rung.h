/* rung/rung.h: all of Rung. Each header includes those it rests on. */
#ifndef RUNG_RUNG_H
#define RUNG_RUNG_H

#include <rung/autograd.h>
#include <rung/core.h>
#include <rung/deploy.h>
#include <rung/io.h>
#include <rung/kernels.h>
#include <rung/nn.h>
#include <rung/nn/analysis.h>
#include <rung/nn/formats.h>
#include <rung/nn/mixed_precision.h>
#include <rung/nn/ptq.h>
#include <rung/quant.h>
#include <rung/quant/formats.h>
#include <rung/quant/ptq.h>

#endif
