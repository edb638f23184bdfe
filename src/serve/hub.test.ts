// The event stream's promises: bounded queues, slow readers told what they lost, and what was missed served again.
import { expect, test } from 'vitest';
import { Hub } from './_hub.ts';

async function read(reader: ReadableStreamDefaultReader<Uint8Array>, count: number): Promise<string[]> {
  const out: string[] = [];
  while (out.length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    out.push(new TextDecoder().decode(value));
  }
  return out;
}

test('a reader gets a greeting, then every message in order', async () => {
  const hub = new Hub({ boot: 'b1' });
  const reader = hub.subscribe({ hi: 1 }).getReader();
  hub.publish('board', { n: 1 });
  hub.publish('board', { n: 2 });
  const [retry, hello, first, second] = await read(reader, 4);
  expect(retry).toMatch(/^retry: \d+\n\n$/);
  expect(hello).toBe('event: hello\ndata: {"hi":1}\n\n');
  expect(first).toBe('id: b1.1\nevent: board\ndata: {"n":1}\n\n');
  expect(second).toContain('id: b1.2');
});

test('a slow reader loses the oldest messages, is told how many, and hinders nobody', async () => {
  const hub = new Hub({ boot: 'b1', queue: 4 });
  const slow = hub.subscribe({}).getReader();
  const quick = hub.subscribe({}).getReader();
  await read(quick, 2);
  for (let n = 0; n < 1_000; n++) {
    hub.publish('board', { n });
    expect((await read(quick, 1))[0]).toContain(`{"n":${n}}`);
  }
  // 2 greetings and 1,000 messages; the last 4 are kept.
  const [lagged, ...kept] = await read(slow, 5);
  expect(lagged).toBe('event: lagged\ndata: {"lost":998}\n\n');
  expect(kept.map((m) => /"n":(\d+)/.exec(m)?.[1])).toEqual(['996', '997', '998', '999']);
});

test('Last-Event-ID of this start brings what was missed; of another start nothing', async () => {
  const hub = new Hub({ boot: 'b1', ring: 3 });
  for (let n = 1; n <= 5; n++) hub.publish('board', { n });
  const ids = async (lastEventId: string): Promise<(string | undefined)[]> => {
    const reader = hub.subscribe({}, lastEventId).getReader();
    hub.publish('mark', {});
    const out: string[] = [];
    while (!out.at(-1)?.includes('event: mark')) out.push(...(await read(reader, 1)));
    await reader.cancel();
    return out.slice(2, -1).map((m) => /"n":(\d+)/.exec(m)?.[1]);
  };
  expect(await ids('b1.4')).toEqual(['5']);
  expect(await ids('b0.4')).toEqual([]);
  expect(await ids('nonsense')).toEqual([]);
  expect(await ids('b1.-1')).toEqual([]);
});

test('counts readers, also those that leave, and ends all streams on close', async () => {
  const hub = new Hub({ boot: 'b1' });
  const counts: number[] = [];
  hub.onReaders = (n) => counts.push(n);
  const first = hub.subscribe({}).getReader();
  const second = hub.subscribe({}).getReader();
  await first.cancel();
  await read(second, 2);
  const pending = second.read();
  hub.close();
  expect((await pending).done).toBe(true);
  expect(counts).toEqual([1, 2, 1, 0]);
  hub.publish('board', {});
  expect((await hub.subscribe({}).getReader().read()).done).toBe(true);
});
