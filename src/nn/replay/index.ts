// Deterministic replay: fingerprints, snapshots, verdicts.
export {
  fingerprint,
  fingerprintOutputs,
  type Fingerprints,
  fingerprintState,
  firstDifference,
} from './fingerprint.ts';
export { type GuardedStep, ReplayGuard, type ReplayEvent, type ReplayOptions, type Verdict } from './guard.ts';
