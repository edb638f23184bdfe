// Public names of the tensor layer.
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
export { opRecord, opTable } from './ops/table.ts';
export {
  abs,
  add,
  amax,
  and,
  argmax,
  cast,
  concat,
  cos,
  cumsum,
  div,
  eq,
  exp,
  expand,
  flip,
  floor,
  gather,
  gatherElements,
  ge,
  gelu,
  gt,
  layerNorm,
  le,
  linear,
  log,
  logSigmoid,
  lt,
  matmul,
  max,
  mean,
  min,
  mod,
  mul,
  neg,
  not,
  or,
  pad,
  pow,
  relu,
  reshape,
  rmsNorm,
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
  customGradient,
  sub,
  sum,
  swapAxes,
  tanh,
  topk,
  transpose,
  unbroadcast,
  unsqueeze,
  where,
  type MatmulOptions,
} from './ops/index.ts';
export * as linalg from './linalg/index.ts';
export * from './linalg/index.ts';
export * from './bfloat.ts';
export * from './safetensors.ts';
export * from './safetensors-file.ts';
export { createOrtExecutor, OrtExecutor, type OrtExecutorOptions } from './ort-node.ts';
export { writeOnnx, type WriteOptions } from './onnx-write.ts';
export { encodeModel, type OnnxModel } from './onnx-proto.ts';
export { decodeModel } from './onnx-read.ts';
export { ProgramCache, type CacheEvent } from './program.ts';
