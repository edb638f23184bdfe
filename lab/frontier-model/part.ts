// What the parts of this experiment share.
export { mean } from '../char-models.ts';
export type { Part } from '../report.ts';
