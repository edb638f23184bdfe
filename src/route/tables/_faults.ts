// Collects what is wrong with the files of an evaluation table: the first ten faults are kept with file and line, all are counted.
import { CairnError } from '../../errors.ts';

const KEPT = 10;

/** One fault: where, what, and what to do. */
export interface TableFault {
  readonly file: string;
  /** Line of the file, from 1; 0 when it concerns the whole file. */
  readonly line: number;
  readonly message: string;
}

export class Faults {
  readonly found: TableFault[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(file: string, line: number, message: string): void {
    this.#count++;
    if (this.found.length < KEPT) this.found.push({ file, line, message });
  }

  /** @throws CairnError `bad_table` with the faults in `details.faults` when there is any */
  throwIfAny(): void {
    if (this.#count === 0) return;
    const lines = this.found.map((f) => `${f.file}${f.line > 0 ? `:${f.line}` : ''}: ${f.message}`);
    const more = this.#count - this.found.length;
    const rest = more > 0 ? [`and ${more} more ${more === 1 ? 'fault' : 'faults'}.`] : [];
    throw new CairnError('bad_table', [...lines, ...rest].join('\n'), {
      hint: 'Correct the files named above; docs/routing.md describes their format.',
      details: { faults: this.found, count: this.#count },
    });
  }
}

/** Text for an error message: short, on one line. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
