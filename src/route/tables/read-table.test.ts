import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { CairnError } from '../../errors.ts';
import { csvCell, parseCsv } from './csv.ts';
import { callCost, dropIncomplete, selectModels, selectPrompts, toEvaluation } from './prompt-table.ts';
import { parseTable, readTable, type TableFiles } from './read-table.ts';

const good: TableFiles = {
  'prompts.jsonl':
    '{"id": 70, "prompt": "one"}\n{"id": "b,c", "prompt": [{"role":"user","content":"two words"}], "task": "t"}\n',
  'scores.csv': 'id,small,large\n70,0,1\n"b,c",.5,\n',
  'models.json': JSON.stringify([
    { id: 'small', price_in_per_mtok: 1, price_out_per_mtok: 2 },
    { id: 'large', price_in_per_mtok: 10, price_out_per_mtok: 20, params_b: null, unknown: 1 },
  ]),
};

function faultsOf(files: TableFiles): string[] {
  try {
    parseTable(files);
  } catch (error) {
    expect(CairnError.isInstance(error)).toBe(true);
    return (error as CairnError).message.split('\n');
  }
  return [];
}

describe('evaluation table', () => {
  it('reads prompts, models and scores; an empty cell is not scored', () => {
    const table = parseTable(good);
    expect(table.prompts.map((p) => [p.id, p.text])).toEqual([
      ['70', 'one'],
      ['b,c', 'two words'],
    ]);
    expect(table.models.map((m) => m.id)).toEqual(['small', 'large']);
    expect([...table.score]).toEqual([0, 1, 0.5, NaN]);
    expect(table.sha256['scores.csv']).toMatch(/^[0-9a-f]{64}$/);
    expect(() => toEvaluation(table)).toThrow('got none for prompt "b,c" and model "large"');
    const { table: complete, dropped } = dropIncomplete(table);
    expect(dropped).toEqual(['large']);
    expect([...toEvaluation(complete).table.error]).toEqual([1, 0.5]);
  });

  it('names the first ten faults with file and line, and counts the rest', () => {
    expect(faultsOf({ ...good, 'scores.csv': 'id,small,large\n72,0,1\n70,0,1\n' })).toEqual([
      'scores.csv:2: Expected row 1 to hold id 70, got "72". Keep the order of prompts.jsonl.',
      'scores.csv:3: Expected row 2 to hold id b,c, got "70". Keep the order of prompts.jsonl.',
    ]);
    const many = Array.from({ length: 30 }, (_, i) => `{"id": ${i}}`).join('\n');
    const rows = Array.from({ length: 30 }, (_, i) => `${i},0,0`).join('\n');
    const faults = faultsOf({ ...good, 'prompts.jsonl': many, 'scores.csv': `id,small,large\n${rows}\n` });
    expect(faults).toHaveLength(11);
    expect(faults[0]).toBe('prompts.jsonl:1: Expected "prompt" as a text or a list of messages, got undefined.');
    expect(faults[10]).toMatch(/^and \d+ more faults\.$/);
  });

  it('one line that cannot be read does not make the rows after it look wrong', () => {
    const bad = { ...good, 'prompts.jsonl': good['prompts.jsonl']!.replace('"prompt": "one"', '"promt": "one"') };
    expect(faultsOf(bad)).toEqual([
      'prompts.jsonl:1: Expected "prompt" as a text or a list of messages, got undefined.',
    ]);
  });

  it.each([
    ['a score above 1', { 'scores.csv': 'id,small,large\n70,0,1.5\n"b,c",0,0\n' }, 'scores.csv:2: Expected a score between 0 and 1 for "large", got "1.5".'],
    ['NaN', { 'scores.csv': 'id,small,large\n70,NaN,1\n"b,c",0,0\n' }, 'scores.csv:2: Expected a score between 0 and 1 for "small", got "NaN".'],
    ['a formula', { 'scores.csv': 'id,small,large\n70,=1+1,1\n"b,c",0,0\n' }, 'scores.csv:2: Expected a score between 0 and 1 for "small", got "=1+1".'],
    ['too few cells', { 'scores.csv': 'id,small,large\n70,1\n"b,c",0,0\n' }, 'scores.csv:2: Expected 3 cells, got 2.'],
    ['an unknown model', { 'scores.csv': 'id,small,huge\n70,1,1\n"b,c",0,0\n' }, 'scores.csv:1: Expected a model of models.json as column, got "huge". Add it there.'],
    ['missing rows', { 'scores.csv': 'id,small,large\n70,1,1\n' }, 'scores.csv: Expected 2 rows as in prompts.jsonl, got 1.'],
    ['an open quote', { 'scores.csv': 'id,small,large\n"70,1,1\n' }, 'scores.csv:2: Expected a closing quote, got the end of the file.'],
    ['a wrong header', { 'scores.csv': 'name,small\n70,1\n"b,c",0\n' }, 'scores.csv:1: Expected the header "id,<model>,...", got "name,small".'],
    ['an id twice', { 'prompts.jsonl': '{"id":1,"prompt":""}\n{"id":"1","prompt":""}\n', 'scores.csv': 'id,small,large\n1,1,1\n1,1,1\n' }, 'prompts.jsonl:2: Expected a new id, got "1" again (first on line 1).'],
    ['no JSON', { 'prompts.jsonl': 'oops\n' }, 'prompts.jsonl:1: Expected one JSON object a line, got "oops".'],
    ['a negative price', { 'models.json': '[{"id":"small",\n"price_in_per_mtok":-1,"price_out_per_mtok":2}]' }, 'models.json:1: Expected a valid price_in_per_mtok in model 1'],
    ['a scorer that is not known', { 'prompts.jsonl': '{"id":70,"prompt":"","scorer":{"kind":"magic"}}\n{"id":"b,c","prompt":""}\n' }, 'prompts.jsonl:1: Expected "scorer" with a kind of exact,'],
    ['tokens of other models', { 'out_tokens.csv': 'id,large,small\n70,1,1\n"b,c",1,1\n' }, 'out_tokens.csv:1: Expected the columns of scores.csv in the same order, got others.'],
  ])('refuses %s', (_, change, text) => {
    expect(faultsOf({ ...good, ...change } as TableFiles).join('\n')).toContain(text);
  }); // prettier-ignore

  it('says which file is missing, and on which line bytes are not UTF-8', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cairn-table-'));
    try {
      await expect(readTable(folder)).rejects.toThrow('Expected prompts.jsonl in');
      for (const [name, text] of Object.entries(good)) await writeFile(join(folder, name), text);
      expect((await readTable(folder)).prompts).toHaveLength(2);
      await writeFile(join(folder, 'scores.csv'), Buffer.from([0x69, 0x64, 0x0a, 0xff, 0xfe, 0x0a]));
      await expect(readTable(folder)).rejects.toThrow('scores.csv:2: Expected UTF-8, got other bytes.');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('prices a call: tiers by prompt size, thought tokens by their own price', () => {
    const model = {
      id: 'm',
      price_in_per_mtok: 1,
      price_out_per_mtok: 4,
      price_thought_per_mtok: 2,
      tiers: [{ above_prompt_tokens: 1000, price_in_per_mtok: 2, price_out_per_mtok: 8 }],
    };
    expect(callCost(model, 1000, 100)).toBeCloseTo((1000 + 400) / 1e6, 12);
    expect(callCost(model, 1001, 100)).toBeCloseTo((2002 + 800) / 1e6, 12);
    expect(callCost(model, 1000, 100, 60)).toBeCloseTo((1000 + 160 + 120) / 1e6, 12);
  });

  it('selecting all rows and columns changes nothing, selecting some keeps their cells', () => {
    const table = parseTable(good);
    expect(selectPrompts(selectModels(table, [0, 1]), [0, 1])).toEqual(table);
    expect([...selectPrompts(selectModels(table, [1]), [1, 0]).score]).toEqual([NaN, 1]);
  });
});

describe('csv', () => {
  it('reads back what it writes', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '\n', '\r', 'é') });
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 6 }), (rows) => {
        const text = rows.map((row) => row.map(csvCell).join(',')).join('\n');
        const faults: string[] = [];
        expect(parseCsv(text, (_, m) => faults.push(m)).map((r) => r.fields)).toEqual(rows);
        expect(faults).toEqual([]);
      }),
    );
  });
});
