// Remembering one's own texts end to end: files of every format through the command line and over HTTP, until nothing of a
// forgotten one is left in the bytes of the data directory.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openNotes } from '../src/mind/index.ts';
import { createServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';
import { tinyPdf } from '../src/memory/text/_testing/pdf.ts';
import { runCli, startCli } from './_fixtures/cli.ts';

const root = mkdtempSync(join(tmpdir(), 'cairn-notes-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Hit {
  readonly id: string;
  readonly text: string;
  readonly source: string;
  readonly line: number;
  readonly range: [number, number];
  readonly speaker?: string;
}

async function json<T>(args: readonly string[], expected = 0): Promise<T> {
  const { code, stdout, stderr } = await runCli([...args, '--json']);
  expect(code, stderr).toBe(expected);
  return JSON.parse(stdout) as T;
}

const recall = async (data: string, question: string): Promise<readonly Hit[]> =>
  (await json<{ hits: Hit[] }>(['recall', question, '--data', data])).hits;

function holds(data: string, word: string): boolean {
  return readdirSync(data).some((file) => readFileSync(join(data, file), 'latin1').includes(word));
}

describe('cairn remember', { timeout: 300_000 }, () => {
  const notes = join(root, 'notes');
  const data = join(root, 'data');
  const secret = 'Quuxolotl hid my spare key below a blue pot.';

  it('keeps Markdown, a chat and a PDF; recall quotes them with their place', async () => {
    mkdirSync(join(notes, 'sub', '.hidden'), { recursive: true });
    writeFileSync(join(notes, 'garden.md'), '# Garden\n\nThe roses need water twice a week.\n');
    writeFileSync(
      join(notes, 'sub', 'talk.jsonl'),
      [
        { role: 'user', content: 'Which boats does Clara paint?', date: '2024-05-08' },
        { role: 'assistant', content: 'She paints fishing boats from Bergen.', date: '2024-05-08' },
      ]
        .map((line) => JSON.stringify(line))
        .join('\n'),
    );
    writeFileSync(
      join(notes, 'paper.pdf'),
      tinyPdf(['Otters sleep on their backs.', 'Lighthouses were lit with whale oil.']),
    );
    writeFileSync(join(notes, 'secret.txt'), secret);
    writeFileSync(join(notes, 'picture.png'), 'no text');
    writeFileSync(join(notes, 'sub', '.hidden', 'x.md'), 'hidden');
    const kept = await json<{ sources: { turns: number }[]; skipped: number; failed: unknown[] }>([
      'remember',
      notes,
      '--data',
      data,
    ]);
    expect(kept.sources.map(({ turns }) => turns).sort()).toEqual([1, 2, 2, 2]);
    expect([kept.skipped, kept.failed]).toEqual([1, []]);

    const [roses] = await recall(data, 'How often do the roses need water?');
    expect(roses).toMatchObject({ source: join(notes, 'garden.md'), line: 3 });
    expect(
      readFileSync(join(notes, 'garden.md'))
        .subarray(...roses!.range)
        .toString(),
    ).toBe(roses!.text);
    const boats = await recall(data, 'What does Clara paint?');
    expect(boats.map(({ text }) => text)).toContain('She paints fishing boats from Bergen.');
    expect((await recall(data, 'oil of lighthouses'))[0]).toMatchObject({
      source: join(notes, 'paper.pdf'),
      text: 'Lighthouses were lit with whale oil.',
    });
    const { stdout } = await runCli(['recall', 'Where is the spare key?', '--data', data]);
    expect(stdout).toContain(secret);
    expect(stdout).toMatch(/secret\.txt:1\n.*\n {3}score [\d.]+: .*shares spare, key/);
    expect((await runCli(['explain', roses!.id, '--data', data])).stdout).toContain('> "The roses need water');
  });

  it('recognises what it knows, and refuses binary given as text', async () => {
    const again = await json<{ sources: { duplicate: boolean; added: number }[] }>(['remember', notes, '--data', data]);
    expect(again.sources.every(({ duplicate, added }) => duplicate && added === 0)).toBe(true);
    const binary = join(root, 'noise.txt');
    writeFileSync(binary, Buffer.from([1, 2, 3, 0, 255, 254]));
    const { error } = await json<{ error: { code: string; message: string } }>(['remember', binary, '--data', data], 1);
    expect(error.code).toBe('not_text');
    expect(error.message).toMatch(/^Expected text in UTF-8 in .*, got a NUL byte at offset 3\.$/);
    const { error: nothing } = await json<{ error: { code: string } }>(
      ['remember', join(root, 'no'), '--data', data],
      1,
    );
    expect(nothing.code).toBe('file_not_found');
    expect((await runCli(['remember', '--data', data])).code).toBe(2);
  });

  it('forgets a turn and a source, with a certificate, out of the bytes', async () => {
    const [hit] = await recall(data, 'spare key');
    expect(holds(data, 'Quuxolotl')).toBe(true);
    const { text } = await json<{ text: { events: { recordHash: string }[]; sourceGone: boolean } }>([
      'forget',
      hit!.id,
      '--data',
      data,
    ]);
    expect(text.events[0]!.recordHash).toMatch(/^[0-9a-f]{64}$/);
    expect(text.sourceGone).toBe(true);
    expect(holds(data, 'Quuxolotl')).toBe(false);
    expect(await recall(data, 'Quuxolotl')).toEqual([]);
    const garden = join(notes, 'garden.md');
    const { stdout } = await runCli(['forget', '--source', garden, '--data', data]);
    expect(stdout).toContain('2 turns of');
    expect((await recall(data, 'roses')).filter(({ source }) => source === garden)).toEqual([]);
    expect(
      (await json<{ error: { code: string } }>(['forget', '--source', garden, '--data', data], 1)).error.code,
    ).toBe('source_not_found');
  });
});

it(
  'a kill in the middle loses nothing that was reported, and the next run completes it',
  { timeout: 300_000 },
  async () => {
    const data = join(root, 'killed');
    const file = join(root, 'long.txt');
    const text = Array.from(
      { length: 1500 },
      (_, i) => `Paragraph ${i}: the ${'abcdefgh'[i % 8]}${i} bird sang near hill ${i * 3}.`,
    ).join('\n\n');
    writeFileSync(file, text);
    const child = startCli(['remember', file, '--data', data]);
    // The first status line comes after the first durable section.
    await new Promise<void>((resolve, reject) => {
      child.stderr!.on('data', (chunk: Buffer) => /\d+ of 1500 turns/.test(String(chunk)) && resolve());
      child.on('close', () => reject(new Error('ended before it was killed')));
    });
    const gone = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGKILL');
    await gone;
    expect((await recall(data, 'Paragraph 5 bird f5'))[0]!.text).toContain('Paragraph 5:');
    const { sources } = await json<{ sources: { added: number; turns: number }[] }>(['remember', file, '--data', data]);
    expect(sources[0]!.turns).toBe(1500);
    expect(sources[0]!.added).toBeLessThan(1500);
    expect((await recall(data, 'bird d1499 hill 4497'))[0]!.text).toContain('Paragraph 1499:');
  },
);

describe('over HTTP', () => {
  it('remembers, recalls, explains and forgets; refuses what is not text, and pages of other sites', async () => {
    const dataDir = join(root, 'http');
    const server = await createServer({
      boards: async () => createFixtureBoards(),
      notes: () => openNotes({ dataDir }),
      studio: false,
      port: 0,
    });
    try {
      const ask = async (
        path: string,
        init: RequestInit = {},
      ): Promise<{ status: number; body: ReturnType<JSON['parse']> }> => {
        const response = await fetch(new URL(path, server.url), init);
        return { status: response.status, body: await response.json() };
      };
      const post = (path: string, body: string | Uint8Array<ArrayBuffer>): ReturnType<typeof ask> =>
        ask(path, { method: 'POST', body });
      const text = 'The heron nests by the weir.\n\nIt eats eels.';
      expect(await post('/api/remember?name=birds.txt', text)).toMatchObject({
        status: 201,
        body: { turns: 2, added: 2 },
      });
      expect(await post('/api/remember?name=birds.txt', text)).toMatchObject({
        status: 200,
        body: { duplicate: true },
      });
      const pdf = await post('/api/remember?name=a.pdf', new Uint8Array(tinyPdf(['Owls hunt at night.'])));
      expect(pdf).toMatchObject({ status: 201, body: { turns: 1 } });
      const found = await ask(`/api/recall?text=${encodeURIComponent('Where does the heron nest?')}&k=2`);
      expect(found.body.hits[0]).toMatchObject({
        text: 'The heron nests by the weir.',
        source: 'birds.txt',
        range: [0, 28],
      });
      const { id } = found.body.hits[0] as { id: string };
      expect((await ask(`/api/texts/${id}`)).body).toMatchObject({
        turn: { line: 1 },
        after: [{ text: 'It eats eels.' }],
      });
      expect(await post(`/api/texts/${id}/forget`, '')).toMatchObject({ status: 200, body: { textBytes: 28 } });
      expect((await ask(`/api/texts/${id}`)).status).toBe(404);
      expect((await ask('/api/sources')).body.sources).toHaveLength(2);
      expect(await post('/api/sources/forget', '{"name":"a.pdf"}')).toMatchObject({
        status: 200,
        body: { sourceGone: true },
      });

      const refused = async (path: string, body: string | Uint8Array<ArrayBuffer>): Promise<unknown> => {
        const { status, body: answer } = await post(path, body);
        return [status, answer.error.code];
      };
      expect(await refused('/api/remember?name=x', Uint8Array.of(0, 1, 2))).toEqual([415, 'not_text']);
      expect(await refused('/api/remember?name=x.jsonl', '{"a":')).toEqual([400, 'bad_chat']);
      expect(await refused('/api/remember', 'text')).toEqual([400, 'bad_query']);
      expect(await refused('/api/remember?name=x&format=pdf', 'text')).toEqual([400, 'bad_query']);
      expect(await refused('/api/sources/forget', '{"name":"none"}')).toEqual([404, 'source_not_found']);
      expect((await ask('/api/recall?text=x&from=never')).body.error.code).toBe('bad_query');
      const foreign = await fetch(new URL('/api/remember?name=x', server.url), {
        method: 'POST',
        body: 'text',
        headers: { origin: 'https://elsewhere.example' },
      });
      expect(foreign.status).toBe(403);
    } finally {
      await server.close();
    }
  });
});
