// Ops and composites as functions of tensors. Op records are reached through `table.ts`.
export { gelu, logSigmoid, relu, silu, softplus } from './activation.ts';
export { alibi, attention, causalMask, rope, type AttentionOptions, type RopeOptions } from './attention.ts';
export { full, iota, maskAfter, oneHot, onesLike, tril, zerosLike } from './constants.ts';
export { conv, convTranspose, type ConvOptions, type ConvTransposeOptions } from './conv.ts';
export { einsum } from './einsum.ts';
export {
  abs,
  add,
  and,
  cast,
  cos,
  div,
  eq,
  exp,
  floor,
  ge,
  gt,
  le,
  log,
  lt,
  max,
  min,
  mod,
  mul,
  neg,
  not,
  or,
  pow,
  sigmoid,
  sign,
  sin,
  sqrt,
  sub,
  tanh,
  unbroadcast,
  where,
} from './elementwise.ts';
export { erf, geluExact } from './erf.ts';
export { argmax, gather, gatherElements, scatterAdd, scatterElementsAdd, sort, topk } from './indexing.ts';
export {
  binaryCrossEntropy,
  crossEntropy,
  log1mExp,
  logCumSumExp,
  logSoftmax,
  logSumExp,
  type CrossEntropyOptions,
} from './loss.ts';
export { linear, matmul, type MatmulOptions } from './matmul.ts';
export { layerNorm, rmsNorm, softmax } from './norm.ts';
export { avgPool, globalAvgPool, maxPool, type PoolOptions } from './pool.ts';
export { amax, cumsum, mean, sum } from './reduce.ts';
export { expand, reshape, squeeze, swapAxes, transpose, unsqueeze } from './reshape.ts';
export { concat, flip, pad, slice, sliceAxis, split, stack } from './slice.ts';
export { customGradient, customGradients, stopGradient, straightThrough } from './tape.ts';
