// Programs on worker threads over shared memory.
export { createLockstep, type Lockstep, type Round } from './lockstep.ts';
export {
  createStage,
  type Stage,
  type StageCarry,
  type StageFeed,
  type StageFetch,
  type StageProgram,
  type StageSpec,
} from './stage.mjs';
