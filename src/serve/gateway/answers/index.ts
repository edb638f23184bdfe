export { Answers, type CacheNote, type CacheWish, type Hit, type Looked, type Ticket } from './answers.ts';
export { type AnswerTable, openAnswerTable, type WhichAnswers } from './answer-table.ts';
export { Collector, replay } from './collector.ts';
export { type FalseHitsState } from './false-hits.ts';
