import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { CairnError } from '../../errors.ts';
import { csvCell } from './csv.ts';
import { importAnswers, type AnswerFile } from './import-answers.ts';
import { tableFiles } from './write-table.ts';

const models = JSON.stringify(
  ['small', 'large', 'idle'].map((id) => ({ id, price_in_per_mtok: 1, price_out_per_mtok: 2 })),
);

function faultsOf(...files: AnswerFile[]): string[] {
  try {
    importAnswers(files, models);
  } catch (error) {
    expect(CairnError.isInstance(error)).toBe(true);
    return (error as CairnError).message.split('\n');
  }
  return [];
}

describe('answers as a table', () => {
  it('takes CSV and JSON lines together, prompts by id, models as models.json has them', () => {
    const table = importAnswers(
      [
        {
          name: 'a.csv',
          text: 'id,prompt,model,score,out_tokens,task\n7,"How many, please?",large,1,30,count\n8,Why?,large,0.5,,\n',
        },
        {
          name: 'b.jsonl',
          text: '{"id": 7, "model": "small", "score": false, "out_tokens": 12}\n\n{"id": 8, "model": "small", "score": null}\n',
        },
      ],
      models,
    );
    expect(table.prompts).toEqual([
      { id: '7', text: 'How many, please?', task: 'count' },
      { id: '8', text: 'Why?' },
    ]);
    expect(table.models.map((m) => m.id)).toEqual(['small', 'large']);
    expect([...table.score]).toEqual([0, 1, NaN, 0.5]);
    expect([...table.outTokens!]).toEqual([12, 30, NaN, NaN]);
    expect(table.inTokens).toBeUndefined();
  });

  it('without ids tells prompts apart by their text', () => {
    const text = 'prompt,model,score\nOne?,small,1\nTwo?,small,0\nOne?,large,0\n';
    const table = importAnswers([{ name: 'x.CSV', text }], models);
    expect(table.prompts.map((p) => [p.id, p.text])).toEqual([
      ['p1', 'One?'],
      ['p2', 'Two?'],
    ]);
    expect([...table.score]).toEqual([1, 0, 0, NaN]);
  });

  it('the long form of any table, in any order of lines, gives the table back', () => {
    const cell = fc.option(
      fc.integer({ min: 0, max: 8 }).map((v) => v / 8),
      { nil: undefined },
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc.string({ minLength: 1 }).filter((s) => s.trim() !== ''),
          { minLength: 1, maxLength: 6 },
        ),
        fc.array(fc.tuple(cell, cell), { minLength: 6, maxLength: 6 }),
        fc.boolean(),
        (texts, cells, csv) => {
          const answers = texts.flatMap((prompt, j) =>
            ['small', 'large'].map((model, m) => ({ id: `q${j}`, prompt, model, score: cells[j]![m] })),
          );
          const text = csv
            ? [
                'id,prompt,model,score',
                ...answers.map((a) => [a.id, a.prompt, a.model, a.score ?? ''].map(csvCell).join(',')),
              ].join('\n')
            : answers.map((a) => JSON.stringify(a)).join('\n');
          const table = importAnswers([{ name: csv ? 'a.csv' : 'a.jsonl', text }], models);
          expect(table.prompts).toEqual(texts.map((t, j) => ({ id: `q${j}`, text: t })));
          expect([...table.score]).toEqual(texts.flatMap((_, j) => [cells[j]![0] ?? NaN, cells[j]![1] ?? NaN]));
          expect(tableFiles(table)['scores.csv']).toMatch(/^id,small,large\n/);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each<[string, AnswerFile, string]>([
    ['a column that is missing', { name: 'a.csv', text: 'prompt,model\nx,small\n' }, 'a.csv:1: Expected the columns model, score and prompt or id, got "prompt,model".'],
    ['a score out of range', { name: 'a.csv', text: 'prompt,model,score\nx,small,1.5\n' }, 'a.csv:2: Expected a score between 0 and 1, true or false, got "1.5".'],
    ['a score that is no number', { name: 'a.jsonl', text: '{"prompt":"x","model":"small","score":"good"}' }, 'a.jsonl:1: Expected a score between 0 and 1, true or false, got "good".'],
    ['a model without prices', { name: 'a.csv', text: 'prompt,model,score\nx,huge,1\ny,huge,1\n' }, 'a.csv:2: Expected a model of models.json, got "huge". Add it there with its prices.'],
    ['a second answer', { name: 'a.csv', text: 'prompt,model,score\nx,small,1\nx,small,0\n' }, 'a.csv:3: Expected one answer of small to each prompt, got a second (first on a.csv:2).'],
    ['another prompt under the same id', { name: 'a.csv', text: 'id,prompt,model,score\n1,x,small,1\n1,y,large,0\n' }, 'a.csv:3: Expected the prompt of "1" as on a.csv:2, got another.'],
    ['an id without a prompt', { name: 'a.csv', text: 'id,model,score\n1,small,1\n' }, 'a.csv:2: Expected the prompt of "1" on one of its lines, got none.'],
    ['a line that is no object', { name: 'a.jsonl', text: '[1]\n{"prompt":"x","model":"small","score":1}' }, 'a.jsonl:1: Expected one JSON object a line, got "[1]".'],
    ['a line without a model', { name: 'a.jsonl', text: '{"prompt":"x","score":1}' }, 'a.jsonl:1: Expected a model, got undefined.'],
    ['too few cells', { name: 'a.csv', text: 'prompt,model,score\nx,small\n' }, 'a.csv:2: Expected 3 cells, got 2.'],
    ['a quote that does not end', { name: 'a.csv', text: 'prompt,model,score\n"x,small,1\n' }, 'a.csv:2: Expected a closing quote, got the end of the file.'],
    ['nothing', { name: 'a.jsonl', text: '\n' }, 'a.jsonl: Expected answers, got none.'],
  ])('names %s with file and line', (_, file, wanted) => {
    expect(faultsOf(file)[0]).toContain(wanted);
  }); // prettier-ignore
});
