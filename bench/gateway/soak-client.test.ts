// The judgement of the soak can fail: texts that are lost, doubled, mixed or cut, errors that say nothing, streams without an end.
import { describe, expect, test } from 'vitest';
import { type Form, judge } from './soak-client.ts';
import { answerOf } from './soak-world.ts';

const right = answerOf(7);
const ask = (form: Form): { id: number; form: Form; model: string; session: string } => ({
  id: 7,
  form,
  model: 'a',
  session: 's',
});
const whole = (content: string): string => JSON.stringify({ choices: [{ message: { content } }] });
const chunks = (pieces: readonly string[], end: readonly unknown[]): string =>
  [
    ...pieces.map((content) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}`),
    ...end.map((one) => (typeof one === 'string' ? one : `data: ${JSON.stringify(one)}`)),
    '',
  ].join('\n\n');
const finish = { choices: [{ delta: {}, finish_reason: 'stop' }] };
const fault = { error: { code: 'upstream_failed', message: 'Expected more.' } };
const event = (n: number, fields: object): string =>
  `event: x\ndata: ${JSON.stringify({ sequence_number: n, ...fields })}\n\n`;
const delta = (n: number, text: string): string => event(n, { type: 'response.output_text.delta', delta: text });

describe.each([
  ['whole', 200, whole(right), 'answered'],
  ['whole', 200, whole(answerOf(8)), 'lost'],
  ['whole', 200, whole(right + right), 'lost'],
  ['whole', 200, whole(right).slice(0, -5), 'lost'],
  ['whole', 200, JSON.stringify(fault), 'lost'],
  ['whole', 502, JSON.stringify(fault), 'refused'],
  ['whole', 502, '<html>', 'lost'],
  ['whole', 500, JSON.stringify({ error: { message: 'oops' } }), 'lost'],
  ['stream', 200, chunks([right.slice(0, 9), right.slice(9)], [finish, 'data: [DONE]']), 'answered'],
  ['stream', 200, chunks([right.slice(0, 9)], [finish, 'data: [DONE]']), 'lost'],
  ['stream', 200, chunks([right], [finish]), 'lost'],
  ['stream', 200, chunks([right], ['data: [DONE]']), 'lost'],
  ['stream', 200, chunks([right.slice(0, 9)], [fault, 'data: [DONE]']), 'broken'],
  ['stream', 200, chunks(['other'], [fault, 'data: [DONE]']), 'lost'],
  ['responses', 200, JSON.stringify({ output: [{ content: [{ text: right }] }] }), 'answered'],
  ['responses', 200, JSON.stringify({ output: [] }), 'lost'],
  ['responses-stream', 200, delta(0, right) + event(1, { type: 'response.completed' }), 'answered'],
  ['responses-stream', 200, delta(1, right) + event(2, { type: 'response.completed' }), 'lost'],
  ['responses-stream', 200, delta(0, right), 'lost'],
  ['responses-stream', 200, event(0, { type: 'response.failed', response: { error: { code: 'x' } } }), 'broken'],
] satisfies [Form, number, string, string][])('%s, status %d: %s', (form, status, text, kind) => {
  test(`is ${kind}`, () => {
    expect(judge(ask(form), status, text).kind).toBe(kind);
  });
});
