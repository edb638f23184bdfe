// Evaluation tables as folders of files.
export { readTable, parseTable, type TableFiles } from './read-table.ts';
export { ANSWER_KEYS, importAnswers, type AnswerFile } from './import-answers.ts';
export { tableFiles, writeTable } from './write-table.ts';
export { modelSchema } from './_models.ts';
export { type TableFault } from './_faults.ts';
export { csvCell, parseCsv, type CsvRecord } from './csv.ts';
export {
  ASSUMED_OUT_TOKENS,
  callCost,
  dropIncomplete,
  roughTokens,
  selectModels,
  selectPrompts,
  toEvaluation,
  type ArmSpec,
  type CostSource,
  type ModelInfo,
  type PriceTier,
  type PromptRow,
  type PromptTable,
  type ScorerSpec,
  type ThinkingBudget,
} from './prompt-table.ts';
