// Public names of the tensor layer.
export { betaInterval, betaOfMoments, betaQuantile, incompleteBeta, logGamma } from './beta.ts';
export { incompleteGamma } from './gamma.ts';
export { crc32 } from './crc32.ts';
export { Rng } from './rng.ts';
export * from './dtype.ts';
export * from './shape.ts';
export * from './graph.ts';
export * from './op.ts';
export * from './init.ts';
export * from './executor.ts';
export { Builder, defineProgram } from './builder.ts';
export type { CustomBackward, ParamOptions, Patch, ProgramOptions } from './builder.ts';
export { Tensor } from './tensor.ts';
export * from './grad.ts';
export { createReferenceExecutor, graphStats, interpret, type ReferenceOptions } from './reference.ts';
export { checkGradients, type GradientCheckOptions, type GradientReport } from './check.ts';
export { conformanceCases, type ConformanceCase, type ConformanceOptions } from './conformance.ts';
export { checkpoint } from './checkpoint.ts';
export { compileSplitStep, defineSplitStep, type HostKernel, type SplitProgram, type SplitStep } from './split-step.ts';
export { erfOf } from './ops/erf.ts';
export { opRecord, opTable } from './ops/table.ts';
// Named one by one: `matmul` and `transpose` are the graph ops; those of linalg/ are reached as `linalg.matmul`.
export {
  abs,
  add,
  alibi,
  amax,
  and,
  argmax,
  attention,
  avgPool,
  binaryCrossEntropy,
  cast,
  causalMask,
  concat,
  conv,
  convTranspose,
  cos,
  crossEntropy,
  cumsum,
  customGradient,
  customGradients,
  div,
  einsum,
  eq,
  erf,
  exp,
  expand,
  flip,
  floor,
  full,
  gather,
  gatherElements,
  ge,
  gelu,
  geluExact,
  globalAvgPool,
  gt,
  iota,
  layerNorm,
  le,
  linear,
  log,
  log1mExp,
  logCumSumExp,
  logSigmoid,
  logSoftmax,
  logSumExp,
  lt,
  maskAfter,
  matmul,
  max,
  maxPool,
  mean,
  min,
  mod,
  mul,
  neg,
  not,
  oneHot,
  onesLike,
  or,
  pad,
  pow,
  relu,
  reshape,
  rmsNorm,
  rope,
  scatterAdd,
  scatterElementsAdd,
  sigmoid,
  sign,
  silu,
  sin,
  slice,
  sliceAxis,
  softmax,
  softplus,
  sort,
  split,
  sqrt,
  squeeze,
  stack,
  stopGradient,
  straightThrough,
  sub,
  sum,
  swapAxes,
  tanh,
  topk,
  transpose,
  tril,
  unbroadcast,
  unsqueeze,
  where,
  zerosLike,
  type AttentionOptions,
  type ConvOptions,
  type ConvTransposeOptions,
  type CrossEntropyOptions,
  type MatmulOptions,
  type PoolOptions,
  type RopeOptions,
} from './ops/index.ts';
export * as linalg from './linalg/index.ts';
export * from './linalg/index.ts';
export * from './bfloat.ts';
export * from './safetensors.ts';
export * from './safetensors-file.ts';
export { createOrtExecutor, type OrtExecutorOptions } from './ort-node.ts';
export { createOrtWebExecutor, type OrtWebOptions } from './ort-web.ts';
export { ORT_OPTIMIZATION, OrtExecutor, type OrtRuntime } from './ort.ts';
export { writeOnnx, type WriteOptions } from './onnx-write.ts';
export { encodeModel, type OnnxModel } from './onnx-proto.ts';
export { decodeModel } from './onnx-read.ts';
export { ProgramCache, type CacheEvent } from './program.ts';
export * from './optim.ts';
export {
  createRowOptimizer,
  rowGradientArrays,
  ROWS,
  type RowOptimizer,
  type RowRule,
  type RowStep,
} from './row-optim.ts';
export * from './schedule.ts';
export { exportModel, exportOnnx, type ExportOptions } from './export.ts';
export * as wasm from './wasm.ts';
