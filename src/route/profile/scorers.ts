// Marks an answer against a reference, in [0,1]. An empty answer is an error; a failure of the infrastructure never gets here.
import { z } from 'zod';
import { CairnError } from '../../errors.ts';
import type { ScorerSpec } from '../tables/prompt-table.ts';

/** Marks that this file cannot give by itself. */
export interface ScorerHelp {
  /** Another model's opinion in [0,1]. Costs money and is an opinion; must be wanted. */
  readonly judge?: (prompt: string, answer: string, reference: string | undefined) => Promise<number>;
  /** A checker that replays a proof. */
  readonly certificate?: (answer: string, reference: string | undefined) => Promise<boolean> | boolean;
}

/** Longest answer that a pattern is tried on. */
const PATTERN_LIMIT = 20_000;

/**
 * Quality of an answer.
 * @throws CairnError `no_reference`, `no_judge`, `bad_scorer`
 * @example
 * await scoreAnswer({ kind: 'choice' }, { prompt: '', answer: 'The answer is (B).', reference: 'B' }); // 1
 */
export async function scoreAnswer(
  spec: ScorerSpec,
  given: { readonly prompt: string; readonly answer: string; readonly reference?: string | undefined },
  help: ScorerHelp = {},
): Promise<number> {
  const { prompt, answer, reference } = given;
  if (answer.trim() === '') return 0;
  const wanted = (): string => {
    if (reference === undefined) {
      throw new CairnError('no_reference', `Expected a reference for scorer ${spec.kind}, got none.`, {
        hint: 'Add "reference" to the prompts, or profile by agreement.',
      });
    }
    return reference;
  };
  switch (spec.kind) {
    case 'exact':
      return plain(answer) === plain(wanted()) ? 1 : 0;
    case 'contains':
      return plain(answer).includes(plain(wanted())) ? 1 : 0;
    case 'choice':
      return choiceOf(answer) === choiceOf(wanted()) ? 1 : 0;
    case 'number':
      return sameNumber(answer, wanted(), spec.tolerance ?? 1e-6) ? 1 : 0;
    case 'regex':
      return pattern(spec).test(answer.slice(0, PATTERN_LIMIT)) ? 1 : 0;
    case 'json-schema':
      return fitsSchema(answer, spec) ? 1 : 0;
    case 'f1':
      return tokenF1(answer, wanted());
    case 'certificate':
      if (!help.certificate) throw missing('a certificate checker');
      return (await help.certificate(answer, reference)) ? 1 : 0;
    case 'judge': {
      if (!help.judge) throw missing('a judge');
      return Math.min(1, Math.max(0, await help.judge(prompt, answer, reference)));
    }
    default:
      return spec.kind satisfies never;
  }
}

/** Lower case, single spaces, no punctuation at the ends. */
function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/\s+/gu, ' ')
    .replace(/^[\s"'.,;:!?()]+|[\s"'.,;:!?()]+$/gu, '');
}

/** The letter an answer settles on: after "answer", in brackets at the end, alone, or the last that stands alone. */
export function choiceOf(text: string): string | undefined {
  const t = text.trim();
  const after = [...t.matchAll(/answer\s*(?:is|:)?\s*[*("[]*([A-Z])\b/gi)].at(-1)?.[1];
  if (after) return after.toUpperCase();
  const alone = /^[*("[]*([A-Za-z])[*)".\]:]*(?:\s|$)/.exec(t)?.[1];
  if (alone && (t.length <= 3 || /^[*("[]*[A-Z][).:\]]/.test(t))) return alone.toUpperCase();
  return [...t.matchAll(/\(([A-Z])\)|\b([B-HJ-Z])\b/g)].map((m) => m[1] ?? m[2]).at(-1);
}

/** The last number of an answer against the reference's, within a relative tolerance. */
function sameNumber(answer: string, reference: string, tolerance: number): boolean {
  const [a, b] = [lastNumber(answer), lastNumber(reference)];
  if (a === undefined || b === undefined) return false;
  return Math.abs(a - b) <= tolerance * Math.max(1e-12, Math.abs(b)) || a === b;
}

function lastNumber(text: string): number | undefined {
  const boxed = /\\boxed\{([^}]*)\}/.exec(text)?.[1] ?? text;
  const found = boxed.match(/[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?|[+-]?\.\d+/gi)?.at(-1);
  return found === undefined ? undefined : Number(found.replaceAll(',', ''));
}

function pattern(spec: ScorerSpec): RegExp {
  try {
    return new RegExp(spec.pattern ?? '', 'u');
  } catch (cause) {
    throw new CairnError('bad_scorer', `Expected a regular expression, got "${spec.pattern}".`, { cause });
  }
}

function fitsSchema(answer: string, spec: ScorerSpec): boolean {
  let schema: z.ZodType;
  try {
    schema = z.fromJSONSchema(JSON.parse(spec.pattern ?? '{}') as boolean);
  } catch (cause) {
    throw new CairnError('bad_scorer', 'Expected a JSON schema in "pattern", got another text.', { cause });
  }
  const body = /```(?:json)?\s*([\s\S]*?)```/.exec(answer)?.[1] ?? answer;
  try {
    return schema.safeParse(JSON.parse(body)).success;
  } catch {
    return false;
  }
}

/** Harmonic mean of precision and recall over words. */
export function tokenF1(answer: string, reference: string): number {
  const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const [a, b] = [words(answer), words(reference)];
  if (a.length === 0 || b.length === 0) return a.length === b.length ? 1 : 0;
  const left = new Map<string, number>();
  for (const w of b) left.set(w, (left.get(w) ?? 0) + 1);
  let shared = 0;
  for (const w of a) {
    const n = left.get(w) ?? 0;
    if (n === 0) continue;
    left.set(w, n - 1);
    shared++;
  }
  return shared === 0 ? 0 : (2 * shared) / (a.length + b.length);
}

function missing(what: string): CairnError {
  return new CairnError('no_judge', `Expected ${what} for this scorer, got none.`, {
    hint: 'Name one in the configuration, or use another scorer.',
  });
}
