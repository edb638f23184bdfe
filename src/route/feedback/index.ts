// Learning from outcomes, safely.
export {
  OnlineRouter,
  type Feedback,
  type Judge,
  type LearnableDecision,
  type OnlineDecision,
  type OnlineRouterOptions,
  type OnlineRouterState,
  type OnlineStanding,
} from './online-router.ts';
export { Outcomes, RELIABILITY, type Outcome, type OutcomeSource, type OutcomesState } from './outcomes.ts';
