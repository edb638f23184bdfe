import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';
import { InMemoryStore } from '../in-memory-store.ts';
import { SqliteStore } from '../sqlite-store.ts';
import { tinyPdf } from './_testing/pdf.ts';
import { pdfText } from './pdf.ts';
import { type TextDocument, TextMemory } from './text-memory.ts';
import type { TextFormat } from './tree.ts';

const directory = mkdtempSync(join(tmpdir(), 'cairn-text-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const spec = { dim: 256 } as const;
const open = (path = ':memory:'): Promise<TextMemory> => TextMemory.open({ path, seed: 's', spec });
const document = (uri: string, text: string, format: TextFormat = 'plain', at = 1000): TextDocument => ({
  uri,
  bytes: new TextEncoder().encode(text),
  format,
  at,
});
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    return CairnError.isInstance(error) ? error.code : String(error);
  }
  return 'nothing thrown';
};
/** All bytes of the files of a store. */
const bytesOf = (name: string): string =>
  readdirSync(directory)
    .filter((file) => file.startsWith(name))
    .map((file) => readFileSync(join(directory, file), 'latin1'))
    .join('');

const chat = [
  { speaker: 'Ann', text: 'I went to the harbour yesterday.', date: '2024-05-08' },
  { speaker: 'Bo', text: 'What did you see there?', date: '2024-05-08' },
  { speaker: 'Ann', text: 'Three seals and a rusty "Northern Star".', date: '2024-05-08' },
  { speaker: 'Bo', text: 'My sister Clara paints boats in Bergen.', date: '2024-05-09' },
  { speaker: 'Ann', text: 'Let us visit her in June!', date: '2024-05-09' },
]
  .map((line) => JSON.stringify(line))
  .join('\n');
const garden =
  '# Garden\n\nThe roses need water twice a week.\n\n## Tools\n\n- the spade is in the shed\n- the hose leaks\n';

describe('recall', () => {
  it('answers questions with the text, its place, its date and the reasons', async () => {
    const memory = await open();
    await memory.remember(document('chat.jsonl', chat, 'chat'));
    await memory.remember(document('garden.md', garden, 'markdown'));
    const first = async (question: string): Promise<string> => (await memory.recall(question, 1))[0]!.text;
    expect(await first('Who paints boats?')).toBe('My sister Clara paints boats in Bergen.');
    expect(await first('Where is the spade?')).toBe('- the spade is in the shed');
    expect(await first('How often do roses need water?')).toBe('The roses need water twice a week.');
    // The answer shares no word with the question: the turn before it does.
    const seen = await memory.recall('What did Ann see at the harbour?', 3);
    expect(seen.map(({ text }) => text)).toContain('Three seals and a rusty "Northern Star".');
    const [hit] = await memory.recall('painted boats', 1);
    expect(hit).toMatchObject({ source: 'chat.jsonl', line: 4, speaker: 'Bo', ordinal: 3, at: Date.UTC(2024, 4, 9) });
    expect(chat.slice(...hit!.range)).toBe(hit!.text);
    expect(hit!.why.words).toEqual(['painted', 'boats']);
    const sum = hit!.why.parts.reduce((total, { adds }) => total + adds, 0);
    expect(Math.abs(sum - hit!.score)).toBeLessThan(0.06);
    const [titled] = await memory.recall('tools hose', 1);
    expect(titled!.title).toBe('Garden › Tools');
    await memory.close();
  });

  it('abstains where nothing speaks for anything, and keeps to sources and times', async () => {
    const memory = await open();
    await memory.remember(document('chat.jsonl', chat, 'chat'));
    await memory.remember(document('other.txt', 'Bo saw boats, too.'));
    expect(await memory.recall('quantum chromodynamics', 5)).toEqual([]);
    const only = await memory.recall('boats', 5, { source: 'other' });
    expect(only.map(({ source }) => source)).toEqual(['other.txt']);
    const day = Date.UTC(2024, 4, 9);
    const then = await memory.recall('Ann', 9, { between: [day, day + 86_399_999] });
    expect(then.map(({ ordinal }) => ordinal).sort()).toEqual([3, 4]);
    expect(await codeOf(memory.recall('x', 0))).toBe('bad_count');
    expect(await codeOf(memory.recall('  '))).toBe('bad_question');
    await memory.close();
  });

  it('gives the same answers from every store and on every run', async () => {
    const answers: string[] = [];
    for (const store of [new InMemoryStore(), await SqliteStore.open({ path: ':memory:' }), new InMemoryStore()]) {
      const memory = await TextMemory.open({ store, seed: 's', spec });
      await memory.remember(document('chat.jsonl', chat, 'chat'));
      await memory.remember(document('garden.md', garden, 'markdown'));
      const hits = [...(await memory.recall('boats and seals', 5)), ...(await memory.recall('water', 5))];
      answers.push(JSON.stringify(hits));
      await memory.close();
    }
    expect(answers[0]).not.toBe('[]');
    expect(answers[1]).toBe(answers[0]);
    expect(answers[2]).toBe(answers[0]);
  });

  it('uses vectors of an embedder where one is given, and works with none', async () => {
    const asked: string[] = [];
    const embedder = {
      id: 'toy',
      embed: async (texts: readonly string[]) => {
        asked.push(...texts);
        return texts.map((text) => Float32Array.of(/boat|vessel/.test(text) ? 1 : -1, 1));
      },
    };
    const cosines = async (memory: TextMemory): Promise<number[]> => {
      await memory.remember(document('chat.jsonl', chat, 'chat'));
      const { ranked } = await memory.rank('vessel');
      await memory.close();
      return [0, 1, 2, 3, 4].map((n) => ranked.find(({ turn }) => turn.ordinal === n)?.features.sketch ?? 0);
    };
    const without = await cosines(await open());
    const withIt = await cosines(await TextMemory.open({ path: ':memory:', seed: 's', spec, embedder }));
    expect(asked).toHaveLength(6);
    // Only the turn about boats comes nearer to the other word for them.
    const gain = withIt.map((cosine, n) => cosine - without[n]!);
    expect(Math.max(...gain)).toBe(gain[3]);
    expect(gain[3]).toBeGreaterThan(0.04);
  });
});

describe('versions', () => {
  it('recognises what is known, under its own name and another', async () => {
    const memory = await open();
    const first = await memory.remember(document('a.txt', 'The fox is red.'));
    expect(first).toMatchObject({ turns: 1, added: 1, duplicate: false });
    expect(await memory.remember(document('a.txt', 'The fox is red.'))).toMatchObject({ added: 0, duplicate: true });
    expect(await memory.remember(document('b.txt', 'The fox is red.'))).toMatchObject({
      duplicate: true,
      duplicateOf: 'a.txt',
    });
    expect((await memory.memory.stats()).events).toBe(1);
    await memory.close();
  });

  it('a changed file takes the place of its earlier version, which stays readable as of then', async () => {
    const memory = await open();
    await memory.remember(document('a.txt', 'The fox is red.\n\nIt lives here.', 'plain', 1000));
    const second = await memory.remember(document('a.txt', 'The fox is grey.', 'plain', 2000));
    expect(second).toMatchObject({ added: 1, retracted: 2 });
    const texts = async (asOf?: number): Promise<string[]> =>
      (await memory.recall('fox', 5, asOf === undefined ? {} : { asOf })).map(({ text }) => text);
    expect(await texts()).toEqual(['The fox is grey.']);
    expect(await texts(1500)).toContain('The fox is red.');
    expect(await texts(1500)).not.toContain('The fox is grey.');
    expect(await texts(500)).toEqual([]);
    await memory.close();
  });

  it('an interrupted reading is taken up again and ends with the same records', async () => {
    const text = Array.from({ length: 200 }, (_, i) => `Paragraph ${i} tells of ${'abcdefghij'[i % 10]}${i * 7}.`).join(
      '\n\n',
    );
    const whole = await open();
    await whole.remember(document('long.txt', text));
    const memory = await open();
    const abort = new AbortController();
    const stopped = memory.remember(document('long.txt', text), {
      signal: abort.signal,
      onProgress: (turns) => turns >= 100 && abort.abort(new CairnError('interrupted', 'Interrupted.')),
    });
    expect(await codeOf(stopped)).toBe('interrupted');
    expect((await memory.sources())[0]).toMatchObject({ complete: false, turns: 200 });
    // What was acknowledged is found already.
    expect((await memory.recall('Paragraph 17', 1))[0]!.text).toContain('Paragraph 17 ');
    // Another document in between must not change what the rest is weighed by.
    const again = await memory.remember(document('long.txt', text));
    expect(again).toMatchObject({ turns: 200, duplicate: false });
    expect(again.added).toBeLessThan(200);
    const events = async (m: TextMemory): Promise<string[]> =>
      (await m.memory.list({ limit: 1000 })).map((event) => ('id' in event ? event.id : '')).sort();
    expect(await events(memory)).toEqual(await events(whole));
    await memory.close();
    await whole.close();
  });
});

describe('forgetting', () => {
  const secret = 'Zorvexquil7 hides the brass key.';

  it('takes a turn out of every list, statistic and byte, and names what its neighbours keep', async () => {
    const path = join(directory, 'turn.db');
    const memory = await open(path);
    await memory.remember(document('s.txt', `Otters ran.\n\n${secret}\n\nHerons flew.`));
    const [hit] = await memory.recall('brass key', 1);
    expect(bytesOf('turn.db').includes('Zorvexquil7')).toBe(true);
    const erased = await memory.forget(hit!.id, 5000);
    expect(erased).toMatchObject({ source: 's.txt', textBytes: secret.length, sourceGone: false });
    expect(erased.events[0]).toMatchObject({ event: hit!.id, how: 'subtract', at: 5000, bytesAfter: 0 });
    expect(erased.influenced).toHaveLength(2);
    expect((await memory.recall('brass key', 5)).filter(({ text }) => text.includes('Zorvex'))).toEqual([]);
    expect(await codeOf(memory.explain(hit!.id))).toBe('event_not_found');
    expect((await memory.memory.store.lexical([0], { limit: 0 })).documents).toBe(2);
    await memory.close();
    expect(/Zorvexquil7|brass/.test(bytesOf('turn.db'))).toBe(false);
    // What is left of the kept text, packed or not, has spaces where it stood.
    const reopened = await open(path);
    const [state] = await reopened.sources();
    const [kept] = await reopened.memory.store.texts([{ source: state!, lo: 0, hi: 1000 }]);
    expect(new TextDecoder().decode(kept)).toBe(`Otters ran.\n\n${' '.repeat(secret.length)}\n\nHerons flew.`);
    expect((await reopened.recall('heron', 1))[0]!.text).toBe('Herons flew.');
    await reopened.close();
  });

  it('takes a source out in all versions; what is left is as if it had never been there', async () => {
    const path = join(directory, 'source.db');
    const memory = await open(path);
    await memory.remember(document('keep.txt', 'The heron stays.', 'plain', 1));
    const before = (await memory.memory.stats()).events;
    await memory.remember(document('s.txt', `${secret}\n\nMore of it.`, 'plain', 2));
    await memory.remember(document('s.txt', `${secret}\n\nChanged.`, 'plain', 3));
    const erased = await memory.forgetSource('s.txt', 9);
    expect(erased.events).toHaveLength(4);
    expect(erased.textBytes).toBe(2 * secret.length + '\n\nMore of it.'.length + '\n\nChanged.'.length);
    expect(erased.sourceGone).toBe(true);
    expect((await memory.memory.stats()).events).toBe(before);
    expect((await memory.sources()).map(({ uri }) => uri)).toEqual(['keep.txt']);
    expect(await codeOf(memory.forgetSource('s.txt', 9))).toBe('source_not_found');
    expect((await memory.recall('heron', 1))[0]!.text).toBe('The heron stays.');
    await memory.close();
    expect(/Zorvexquil7|brass|s\.txt/.test(bytesOf('source.db'))).toBe(false);
    const reopened = await open(path);
    expect((await reopened.remember(document('s.txt', 'New start.'))).added).toBe(1);
    await reopened.close();
  });

  it('of the last turn takes the source with it', async () => {
    const memory = await open();
    await memory.remember(document('one.txt', 'Lonely heron.'));
    const [hit] = await memory.recall('heron', 1);
    expect(await memory.forget(hit!.id, 1)).toMatchObject({ sourceGone: true });
    expect(await memory.sources()).toEqual([]);
    await memory.close();
  });
});

describe('documents', () => {
  it('PDF pages become sections; damaged and empty ones are refused with a code', async () => {
    const bytes = await pdfText(tinyPdf(['The otter swims (fast).', 'Page two speaks of lighthouses.']), 'a.pdf');
    expect(new TextDecoder().decode(bytes)).toBe('The otter swims (fast).\fPage two speaks of lighthouses.');
    const memory = await open();
    await memory.remember({ uri: 'a.pdf', bytes, format: 'plain', at: 0, sha256: 'ab'.repeat(32) });
    expect((await memory.recall('lighthouses', 1))[0]).toMatchObject({
      text: 'Page two speaks of lighthouses.',
      source: 'a.pdf',
    });
    await memory.close();
    expect(await codeOf(pdfText(tinyPdf(['', '']), 'scan.pdf'))).toBe('pdf_without_text');
    expect(await codeOf(pdfText(new TextEncoder().encode('%PDF-1.4\nnothing'), 'bad.pdf'))).toBe('bad_pdf');
  });

  it('refuses binary before anything is written', async () => {
    const memory = await open();
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    expect(await codeOf(memory.remember({ uri: 'x', bytes, format: 'plain', at: 0 }))).toBe('not_text');
    expect(await codeOf(memory.remember(document('y', '{"text":"fine"}\nbroken', 'chat')))).toBe('bad_chat');
    expect(await memory.sources()).toEqual([]);
    expect((await memory.memory.stats()).events).toBe(0);
    await memory.close();
  });

  it('finds one sentence among 300,000 characters', async () => {
    const rng = new Rng(5);
    const words = Array.from({ length: 800 }, () =>
      Array.from({ length: 3 + rng.integer(6) }, () => 'abcdefghiklmnoprstuvw'[rng.integer(21)]).join(''),
    );
    const paragraph = (): string => Array.from({ length: 90 }, () => words[rng.integer(800)]).join(' ');
    const paragraphs = Array.from({ length: 500 }, paragraph);
    paragraphs[313] = 'Only here the albatross lands on the chimney.';
    const text = paragraphs.join('\n\n');
    expect(text.length).toBeGreaterThan(250_000);
    const memory = await open();
    const kept = await memory.remember(document('long.txt', text));
    expect(kept.turns).toBe(500);
    const [hit] = await memory.recall('Where does the albatross land?', 1);
    expect(hit!.text).toBe(paragraphs[313]);
    expect(text.slice(...hit!.range)).toBe(paragraphs[313]);
    await memory.close();
  });
});
