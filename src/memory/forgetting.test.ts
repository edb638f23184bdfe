import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { encode, toBytes, unroll } from '../sketch/index.ts';
import { Rng } from '../tensor/index.ts';
import { Memory } from './memory.ts';
import { idFromText } from './store.ts';
import { board, oneHot, randomDigits } from './_testing/scenes.ts';

const root = mkdtempSync(join(tmpdir(), 'cairn-forgetting-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const spec = { dim: 512 } as const;
const at = 1_700_000_000_000;

interface Secret {
  readonly id: string;
  readonly source: string;
  readonly digits: readonly number[];
  readonly probes: Record<string, Uint8Array>;
}

/** Remembers boards from sources of their own with random meta; probes are what must not be found afterwards. */
async function fill(memory: Memory, n: number, rng: Rng): Promise<Secret[]> {
  const secrets: Secret[] = [];
  for (let i = 0; i < n; i += 30) {
    const batch = Array.from({ length: Math.min(30, n - i) }, async (_, j) => {
      const digits = randomDigits(rng, 20, 6);
      const source = `secret-source-${i + j}-${rng.u32()}`;
      const meta = Uint8Array.from({ length: 40 }, () => rng.integer(256));
      const record = { task: 'solve-board', provenance: { source, ordinal: i + j }, meta, at: at + i + j };
      const { id } = await memory.remember(board(digits, 6), record);
      return { id, source, digits, meta };
    });
    for (const { id, source, digits, meta } of await Promise.all(batch)) {
      const { sketch, ordinal } = (await memory.get(id))!;
      const bytes = toBytes(sketch);
      const probes: Record<string, Uint8Array> = { id: Buffer.from(id, 'hex'), source: Buffer.from(source), meta };
      for (let o = 44; o + 16 <= bytes.length; o += 16) probes[`sketch+${o}`] = bytes.slice(o, o + 16);
      secrets.push({ id, source, digits, probes });
      expect(ordinal).toBe(secrets.length);
    }
  }
  const signatures = new Map<string | undefined, string>();
  for await (const line of memory.store.dump()) {
    const { id, signature } = JSON.parse(line) as { id?: string; signature?: string };
    signatures.set(id, signature ?? '');
  }
  for (const { id, probes } of secrets) probes['signature'] = littleEndian(signatures.get(id)!);
  return secrets;
}

function littleEndian(words: string): Uint8Array {
  return Uint8Array.from(
    words.match(/.{8}/g)!.flatMap((w) => [6, 4, 2, 0].map((i) => Number.parseInt(w.slice(i, i + 2), 16))),
  );
}

/** Names of the probes that some file of the directory contains. */
function found(directory: string, { probes }: Secret): string[] {
  const files = readdirSync(directory).map((name) => readFileSync(join(directory, name)));
  return Object.keys(probes).filter((name) => files.some((file) => file.includes(Buffer.from(probes[name]!))));
}

describe("forget('subtract')", () => {
  it('leaves no byte of the event in any file: pending, folded, many neighbours at once, after a close', async () => {
    const directory = mkdtempSync(join(root, 'bytes-'));
    const memory = await Memory.open({ path: join(directory, 'cairn.db'), seed: 's', spec });
    const secrets = await fill(memory, 460, new Rng(1));
    const all = Object.keys(secrets[0]!.probes);
    // 0..399 are folded by now, the rest is pending; every probe is on disk before.
    const gone = [0, 7, ...Array.from({ length: 20 }, (_, i) => 100 + i), 399, 405, 459].map((i) => secrets[i]!);
    for (const secret of gone) {
      expect(found(directory, secret)).toEqual(all);
      const erasure = await memory.forget(secret.id);
      expect(erasure).toMatchObject({
        event: secret.id,
        how: 'subtract',
        bytesAfter: 0,
        keptAfter: 0,
        components: 'removed',
      });
    }
    for (const secret of gone) expect(found(directory, secret)).toEqual([]);
    expect(found(directory, secrets[8]!)).toEqual(all);
    const { events, tombstones } = await memory.stats();
    expect([events, tombstones]).toEqual([460 - gone.length, gone.length]);
    for (const { id, digits } of gone) {
      expect(await memory.get(id)).toBeUndefined();
      const hits = await memory.component(oneHot('read-digit', digits[3]!, 6), 500, { position: '0/0/3' });
      expect(hits.map((hit) => hit.id)).not.toContain(id);
    }
    const { fileBytes } = await memory.stats();
    await memory.compact();
    expect((await memory.stats()).fileBytes).toBeLessThan(fileBytes);
    expect(found(directory, secrets[8]!)).toEqual(all);
    await memory.close();
    for (const secret of gone) expect(found(directory, secret)).toEqual([]);
    expect(readdirSync(directory)).toEqual(['cairn.db', 'cairn.db.lock']);
  });

  it('takes the event out of means and lists exactly, as if it had never been there', async () => {
    const rng = new Rng(2);
    const boards = Array.from({ length: 50 }, () => randomDigits(rng, 12, 4));
    const dumps: string[][] = [];
    for (const withExtra of [false, true]) {
      const memory = await Memory.open({ path: ':memory:', seed: 'same', spec });
      const put = (digits: readonly number[], i: number): Promise<{ id: string }> =>
        memory.remember(board(digits, 4), { task: 't', provenance: { source: 's', ordinal: i }, at });
      for (let i = 0; i < 25; i++) await put(boards[i]!, i);
      const extra = withExtra ? await put(randomDigits(new Rng(99), 12, 4), 999) : undefined;
      for (let i = 25; i < 50; i++) await put(boards[i]!, i);
      if (extra !== undefined) await memory.forget(extra.id);
      else {
        // Forgetting writes the means; so does this.
        const last = await put(randomDigits(new Rng(98), 12, 4), 998);
        await memory.forget(last.id);
      }
      const lines: string[] = [];
      for await (const line of memory.store.dump()) {
        // The reference up to which a mean reaches differs; its sums must not.
        lines.push(line.startsWith('{"stat":"mean/') ? line.slice(-512 * 16) : line);
      }
      dumps.push(lines);
      await memory.close();
    }
    expect(dumps[1]).toEqual(dumps[0]);
  });

  it('writes a tombstone without the id, and the event may be remembered again', async () => {
    const memory = await Memory.open({ path: ':memory:', seed: 's', spec });
    const record = { task: 't', provenance: { source: 's' }, at: 5 };
    const { id } = await memory.remember(board([1, 2, 3], 4), record);
    await memory.forget(id, 'subtract', { at: 77 });
    const tombstone = (await memory.store.tombstone(idFromText(id)))!;
    expect(tombstone.at).toBe(77);
    expect(JSON.stringify(tombstone)).not.toContain(id);
    await expect(memory.forget(id)).rejects.toMatchObject({ code: 'event_not_found' });
    expect(await memory.remember(board([1, 2, 3], 4), record)).toMatchObject({ id, duplicate: false, ordinal: 2 });
    await memory.close();
  });
});

describe('forget({ keep })', () => {
  it('shortens the sketch on disk, certifies the errors, and hides components that cannot be read any more', async () => {
    const directory = mkdtempSync(join(root, 'keep-'));
    const memory = await Memory.open({ path: join(directory, 'cairn.db'), seed: 's', spec });
    const secrets = await fill(memory, 12, new Rng(3));
    const secret = secrets[5]!;
    const half = await memory.forget(secret.id, { keep: 256 });
    expect(half).toMatchObject({
      bytesBefore: 556,
      bytesAfter: 300,
      keptBefore: 512,
      keptAfter: 256,
      components: 'kept',
    });
    expect(found(directory, secret)).toEqual(
      Object.keys(secret.probes).filter((name) => !name.startsWith('sketch') || Number(name.slice(7)) < 300),
    );
    const event = (await memory.get(secret.id))!;
    expect(event.sketch.kept).toBe(256);
    expect(unroll(event.sketch, event.structure).outputs[0]!.inputs[0]!.inputs.map((c) => c.groups[0]!.chosen)).toEqual(
      secret.digits,
    );
    const position = '0/0/3';
    const cue = oneHot('read-digit', secret.digits[3]!, 6);
    expect((await memory.component(cue, 20, { position })).map((hit) => hit.id)).toContain(secret.id);
    const little = await memory.forget(secret.id, { keep: 32 });
    expect(little.components).toBe('removed');
    for (const { path, before, after } of little.objects) {
      expect([path, after!.error >= before!.error && after!.confidence <= before!.confidence + 1e-9]).toEqual([
        path,
        true,
      ]);
    }
    expect((await memory.component(cue, 20, { position })).map((hit) => hit.id)).not.toContain(secret.id);
    const [hit] = await memory.recall({ root: board(secret.digits, 6) }, 1);
    expect(hit!.id).toBe(secret.id);
    await expect(memory.forget(secret.id, { keep: 64 })).rejects.toMatchObject({ code: 'sketch_kept' });
    await expect(memory.forget(secret.id, { keep: 33 })).rejects.toMatchObject({ code: 'sketch_kept' });
    await memory.forget(secret.id);
    expect(found(directory, secret)).toEqual([]);
    await memory.close();
    const again = await Memory.open({ path: join(directory, 'cairn.db') });
    expect((await again.stats()).events).toBe(11);
    await again.close();
  });

  it('means hold whole sketches only: shortening and then subtracting an event leaves no trace of it in them', async () => {
    const memory = await Memory.open({ path: ':memory:', seed: 's', spec });
    const put = async (digits: number[]): Promise<string> =>
      (await memory.remember(board(digits, 4), { task: 't', provenance: { source: 's' }, at })).id;
    const keep = [await put([1, 2, 3]), await put([3, 2, 1])];
    const extra = await put([2, 2, 2]);
    await memory.forget(extra, { keep: 128 });
    await memory.forget(extra);
    const mean = (await memory.store.stat('mean/solve-board'))!;
    const sums = new Float64Array(mean.slice(-512 * 8).buffer);
    const expected = new Float64Array(512);
    for (const id of keep) {
      const { sketch, structure } = (await memory.get(id))!;
      const { values, content } = encode(board([1, 2, 3], 4), memory.spec);
      expect(structure.columns).toBeGreaterThan(0);
      sketch.codes.forEach((c, j) => (expected[j]! += (c * sketch.step + (values[j]! - content[j]!)) * 2 ** 30));
    }
    sums.forEach((sum, j) => expect(Math.abs(sum - expected[j]!)).toBeLessThan(200));
    await memory.close();
  });
});
