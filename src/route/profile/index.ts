// Adding a model: asking it, marking its answers, choosing what to ask.
export { AdaptiveSampler, strataOf } from './adaptive.ts';
export {
  estimateProfile,
  profileModel,
  type ProfileAnswer,
  type ProfileEstimate,
  type ProfileOptions,
  type ProfileReport,
  type ProfileResult,
} from './profile.ts';
export { choiceOf, scoreAnswer, tokenF1, type ScorerHelp } from './scorers.ts';
