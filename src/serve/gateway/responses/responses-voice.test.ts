// The events of /v1/responses against a reader of the protocol: whatever pieces arrive in whatever order, every item is begun, grows
// and ends once, and the last event holds what the events before it said.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChatChunk, JsonObject } from '../../../providers/index.ts';
import { GatewayError } from '../gateway-error.ts';
import { responsesVoice } from './responses-voice.ts';

type Event = JsonObject & { readonly type: string };

function speak(pieces: readonly JsonObject[], finish: string, broken = false): { events: Event[]; kept: JsonObject[] } {
  const kept: JsonObject[] = [];
  const voice = responsesVoice({
    id: 'resp_x',
    body: { model: 'm', input: 'x' },
    createdAt: 1,
    stored: false,
    done: (response) => kept.push(response),
  });
  const chunk = (choice: JsonObject): ChatChunk => ({ data: JSON.stringify({ choices: [choice] }), content: true });
  let text = voice.begin();
  for (const delta of pieces) text += voice.chunk(chunk({ index: 0, delta }));
  text += broken
    ? voice.fail(new GatewayError('upstream_failed', 'Expected more.', { status: 502 }))
    : voice.chunk(chunk({ index: 0, delta: {}, finish_reason: finish })) + voice.end(undefined);
  const events = text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const [name, data] = block.split('\n');
      const event = JSON.parse(data!.slice('data: '.length)) as Event;
      expect(name).toBe(`event: ${event.type}`);
      return event;
    });
  return { events, kept };
}

/** Reads events as a client does; returns the output that they build. */
function read(events: readonly Event[]): JsonObject[] {
  const output: { item: JsonObject; text: string; ended: boolean }[] = [];
  for (const event of events) {
    const at = output[event['output_index'] as number]!;
    if (event.type === 'response.output_item.added') {
      expect(event['output_index']).toBe(output.length);
      expect(output.every((item) => item.ended)).toBe(true);
      output.push({ item: event['item'] as JsonObject, text: '', ended: false });
    } else if (event.type.endsWith('.delta')) {
      expect(at.ended).toBe(false);
      expect(event['item_id']).toBe(at.item['id']);
      at.text += event['delta'] as string;
    } else if (event.type === 'response.output_item.done') {
      at.ended = true;
      at.item = event['item'] as JsonObject;
    } else if (event.type.endsWith('_text.done')) expect(event['text']).toBe(at.text);
    else if (event.type === 'response.refusal.done') expect(event['refusal']).toBe(at.text);
    else if (event.type === 'response.function_call_arguments.done') expect(event['arguments']).toBe(at.text);
  }
  expect(output.every((item) => item.ended)).toBe(true);
  return output.map(({ item }) => item);
}

const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 });
const piece: fc.Arbitrary<JsonObject> = fc.oneof(
  word.map((content) => ({ content })),
  word.map((reasoning_content) => ({ reasoning_content })),
  word.map((refusal) => ({ refusal })),
  fc
    .record({
      index: fc.nat(2),
      id: fc.constant('c'),
      function: fc.record({ name: fc.constant('f'), arguments: word }),
    })
    .map((call) => ({ tool_calls: [call] })),
  fc.constant({ role: 'assistant', content: '' }),
);

describe('a stream of responses', () => {
  test('is in order whatever arrives, and its last event holds it all', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), fc.boolean(), (pieces, broken) => {
        const { events, kept } = speak(pieces, 'stop', broken);
        expect(events.map((event) => event['sequence_number'])).toEqual(events.map((_, i) => i));
        const output = read(events);
        const end = events.at(-1)!;
        expect(end.type).toBe(broken ? 'response.failed' : 'response.completed');
        expect((end['response'] as JsonObject)['output']).toEqual(output);
        expect(kept).toHaveLength(broken ? 0 : 1);
      }),
    );
  });

  test.each([
    ['length', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
  ])('an answer that ended by %s is incomplete', (finish, reason) => {
    const { events } = speak([{ content: 'half' }], finish);
    expect(events.at(-1)).toMatchObject({
      type: 'response.incomplete',
      response: { status: 'incomplete', incomplete_details: { reason }, output: [{ status: 'incomplete' }] },
    });
  });
});
