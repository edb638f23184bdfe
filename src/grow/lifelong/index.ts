// The lifelong learner.
export { type AdoptedFunction, type FrozenModule, Library } from './library.ts';
export { certifyCounted, certifyHeldOut, type ErrorCertificate, samplesToCertify } from './certificate.ts';
export { type Context } from './contexts.ts';
export { type IdentityOptions } from './identity.ts';
export { Lifelong, type LifelongOptions, type Step, type TaskReport } from './lifelong.ts';
export { describeModel, type Model, type ModelKind, type Reference, type TargetKind } from './model.ts';
export { type TaskStatus } from './task.ts';
