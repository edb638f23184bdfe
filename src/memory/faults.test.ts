import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import Database from 'libsql';
import { afterAll, describe, expect, it } from 'vitest';
import { CairnError } from '../errors.ts';
import { toBytes } from '../sketch/index.ts';
import { Rng } from '../tensor/index.ts';
import { APPLICATION_ID, migrations, openFile, pragma } from './_schema.ts';
import { Memory } from './memory.ts';
import { board, oneHot, randomDigits } from './_testing/scenes.ts';

const root = mkdtempSync(join(tmpdir(), 'cairn-faults-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const spec = { dim: 256 } as const;
const fresh = (): string => join(mkdtempSync(join(root, 'case-')), 'cairn.db');

async function put(memory: Memory, n: number, from = 0): Promise<string[]> {
  const rng = new Rng(from);
  const put = Array.from({ length: n }, (_, i) => {
    const provenance = { source: 'stream', ordinal: from + i };
    return memory.remember(board(randomDigits(rng, 16, 5), 5), {
      task: 't',
      provenance,
      meta: `meta-${from + i}`,
      at: i,
    });
  });
  return (await Promise.all(put)).map((r) => r.id);
}

async function filled(path: string, n: number): Promise<string[]> {
  const memory = await Memory.open({ path, seed: 's', spec });
  const ids = await put(memory, n);
  await memory.close();
  return ids;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    expect(CairnError.isInstance(error)).toBe(true);
    if (!CairnError.isInstance(error)) throw error;
    expect(error.message).toMatch(/^Expected .*, got .*\.$/s);
    expect(error.hint).toBeTruthy();
    return error.code;
  }
  return 'none';
}

/** Flips one bit of a file where `bytes` stand. */
function flip(path: string, bytes: Uint8Array, bit = 0): void {
  const file = readFileSync(path);
  const at = file.indexOf(bytes);
  expect(at).toBeGreaterThan(0);
  file[at + (bit >> 3)]! ^= 1 << (bit & 7);
  writeFileSync(path, file);
}

describe('a place that cannot be written', () => {
  it('a directory without permission, a file in the way, a read-only file', async () => {
    const directory = join(root, 'read-only');
    mkdirSync(directory);
    const inside = join(directory, 'cairn.db');
    // Root ignores permissions, so the attempt is made as nobody.
    const asNobody = async <T>(work: () => Promise<T>): Promise<T> => {
      const root = process.getuid?.() === 0;
      chmodSync(directory, 0o555);
      if (root) process.seteuid!(65_534);
      try {
        return await work();
      } finally {
        if (root) process.seteuid!(0);
        chmodSync(directory, 0o755);
      }
    };
    chmodSync(root, 0o755);
    expect(await codeOf(asNobody(() => Memory.open({ path: inside, seed: 's' })))).toBe('store_not_writable');
    expect(await codeOf(asNobody(() => Memory.open({ path: join(directory, 'deeper', 'x.db'), seed: 's' })))).toBe(
      'store_not_writable',
    );
    await filled(inside, 3);
    chmodSync(inside, 0o444);
    const before = readFileSync(inside);
    expect(await codeOf(asNobody(() => Memory.open({ path: inside })))).toBe('store_not_writable');
    expect(readFileSync(inside)).toEqual(before);
    writeFileSync(join(root, 'file'), 'x');
    expect(await codeOf(Memory.open({ path: join(root, 'file', 'cairn.db'), seed: 's' }))).toBe('store_not_writable');
    expect(await codeOf(Memory.open({ path: directory, seed: 's' }))).toBe('store_not_writable');
  });
});

describe('a full disk', () => {
  it('refuses with a code, keeps what was acknowledged, goes on when there is room', async () => {
    const path = fresh();
    const memory = await Memory.open({ path, seed: 's', spec, maxBytes: 60 * 16_384 });
    const acknowledged: string[] = [];
    let code = 'none';
    for (let from = 0; code === 'none' && from < 3000; from += 50) {
      code = await codeOf(put(memory, 50, from).then((ids) => acknowledged.push(...ids)));
    }
    expect(code).toBe('store_full');
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(await codeOf(put(memory, 50, 9000))).toBe('store_full');
    // Still readable, and an erasure still gives room or says why not.
    for (const id of acknowledged) expect((await memory.get(id))?.id).toBe(id);
    expect((await memory.recall({ event: acknowledged[3]! }, 1))[0]!.id).toBe(acknowledged[3]);
    await memory.close();
    const again = await Memory.open({ path });
    expect((await again.stats()).events).toBe(acknowledged.length);
    expect(await again.verify()).toEqual([]);
    await put(again, 50, 9000);
    expect((await again.stats()).events).toBe(acknowledged.length + 50);
    await again.close();
  });
});

describe('a disk that is really full', () => {
  it('the same on a small file system of its own', async (context) => {
    const disk = join(root, 'disk');
    mkdirSync(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk], { encoding: 'utf8' });
    if (mounted.status !== 0) {
      process.stderr.write(
        `SKIPPED: no small file system can be mounted here: ${mounted.stderr || String(mounted.error)}\n`,
      );
      context.skip();
    }
    try {
      const path = join(disk, 'cairn.db');
      const ballast = join(disk, 'ballast');
      writeFileSync(ballast, new Uint8Array(1536 * 1024));
      const memory = await Memory.open({ path, seed: 's', spec });
      const acknowledged: string[] = [];
      let code = 'none';
      for (let from = 0; code === 'none' && from < 4000; from += 50) {
        code = await codeOf(put(memory, 50, from).then((ids) => acknowledged.push(...ids)));
      }
      expect(code).toBe('store_full');
      expect(acknowledged.length).toBeGreaterThan(100);
      for (const id of acknowledged) expect((await memory.get(id))?.id).toBe(id);
      // Even the end of the process finds no room to tidy up; opening says so, or it works.
      await memory.close();
      let open: Memory | undefined;
      expect(['none', 'store_full']).toContain(await codeOf(Memory.open({ path }).then((m) => (open = m))));
      await open?.close();
      rmSync(ballast);
      const roomy = await Memory.open({ path });
      acknowledged.push(...(await put(roomy, 20, 9000)));
      await roomy.close();
      const again = await Memory.open({ path });
      expect(await again.verify()).toEqual([]);
      for (const id of acknowledged) expect((await again.get(id))?.id).toBe(id);
      await again.close();
    } finally {
      spawnSync('umount', ['-l', disk]);
    }
  });
});

describe('damaged files', () => {
  it('a truncated file is refused at open', async () => {
    const path = fresh();
    await filled(path, 60);
    truncateSync(path, Math.floor(statSync(path).size / 2));
    expect(await codeOf(Memory.open({ path }))).toBe('store_corrupt');
    truncateSync(path, 50);
    expect(await codeOf(Memory.open({ path }))).toBe('store_foreign');
  });

  it('overwritten pages give coded errors, whichever page it is, and never a wrong answer', async () => {
    const path = fresh();
    const ids = await filled(path, 60);
    const intact = readFileSync(path);
    const codes = new Set<string>();
    const rng = new Rng(4);
    for (let page = 0; page < intact.length / 16_384; page++) {
      const path = fresh();
      const damaged = Uint8Array.from(intact);
      for (let i = 0; i < 16_384; i++) damaged[page * 16_384 + i] = rng.integer(256);
      writeFileSync(path, damaged);
      let memory: Memory | undefined;
      const code = await codeOf(
        (async () => {
          memory = await Memory.open({ path });
          await memory.verify();
          for (const id of ids) expect((await memory.get(id))?.id).toBe(id);
        })(),
      );
      codes.add(code);
      await memory?.close().catch((error: unknown) => expect(CairnError.isInstance(error)).toBe(true));
    }
    for (const code of codes)
      expect(['store_corrupt', 'store_foreign', 'memory_seed', 'event_quarantined', 'none']).toContain(code);
    expect(codes).toContain('store_corrupt');
  });

  it('a torn log opens with the events before the tear', async () => {
    const path = fresh();
    const memory = await Memory.open({ path, seed: 's', spec });
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push(...(await put(memory, 1, i)));
    const copy = fresh();
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}-wal`);
    await memory.close();
    truncateSync(`${copy}-wal`, statSync(`${copy}-wal`).size - 20_000);
    const torn = await Memory.open({ path: copy });
    expect(await torn.verify()).toEqual([]);
    const { events } = await torn.stats();
    expect(events).toBeGreaterThan(5);
    expect(events).toBeLessThan(12);
    for (let i = 0; i < events; i++) expect((await torn.get(ids[i]!))?.id).toBe(ids[i]);
    await torn.close();
  });

  it.each(['sketch', 'meta'])(
    'a flipped bit in the %s of one event: it is quarantined, the rest stays readable',
    async (what) => {
      const path = fresh();
      const ids = await filled(path, 30);
      const before = await Memory.open({ path });
      const event = (await before.get(ids[10]!))!;
      const { digits } = { digits: event.structure.paths.length };
      expect(digits).toBe(18);
      await before.close();
      const probe = what === 'sketch' ? toBytes(event.sketch).slice(60, 100) : Buffer.from('meta-10"');
      flip(path, probe, 3);
      const memory = await Memory.open({ path });
      expect(await codeOf(memory.get(ids[10]!))).toBe('event_quarantined');
      expect(await memory.verify()).toEqual([11]);
      expect((await memory.stats()).quarantined).toEqual([11]);
      for (const [i, id] of ids.entries()) if (i !== 10) expect((await memory.get(id))?.id).toBe(id);
      const listed = await memory.list({ limit: 100 });
      expect(listed.filter((e) => 'quarantined' in e)).toEqual([{ ordinal: 11, quarantined: true }]);
      expect(listed.length).toBe(30);
      const hits = await memory.component(oneHot('read-digit', 0, 5), 100);
      expect(hits.map((hit) => hit.id)).not.toContain(ids[10]);
      expect(hits.length).toBe(29);
      // It can be forgotten, and everything that came with it is gone.
      await memory.forget(ids[10]!);
      expect((await memory.list({ limit: 100 })).length).toBe(29);
      expect(await memory.verify()).toEqual([]);
      await memory.close();
    },
  );

  it('a flipped bit in the index of pending events: the event is still found by its id', async () => {
    const path = fresh();
    const ids = await filled(path, 5);
    const { db, close } = openFile(path);
    const [bytes] = db.prepare('SELECT bytes FROM pending WHERE ord = 3').raw().get([]) as [Uint8Array];
    const probe = Uint8Array.from(bytes.subarray(0, 40));
    close();
    flip(path, probe, 100);
    const memory = await Memory.open({ path });
    expect((await memory.stats()).quarantined).toEqual([3]);
    for (const id of ids) expect((await memory.get(id))?.id).toBe(id);
    await memory.close();
  });
});

describe('two users of one file', () => {
  it('the second is refused with the first one named, in this process and in another; then it may', async () => {
    const path = fresh();
    const memory = await Memory.open({ path, seed: 's', spec });
    await put(memory, 2);
    await expect(Memory.open({ path })).rejects.toMatchObject({
      code: 'store_locked',
      details: { pid: process.pid },
      message: `Expected to be the only user of ${path}, got one that process ${process.pid} has open.`,
    });
    const entry = fileURLToPath(new URL('./memory.ts', import.meta.url));
    const script = `import(${JSON.stringify(entry)}).then((m) => m.Memory.open({ path: ${JSON.stringify(path)} })).then(() => console.log('opened'), (e) => console.log(e.code))`;
    const other = (): string =>
      spawnSync(process.execPath, ['--import', 'tsx', '--conditions=cairn-source', '-e', script], {
        encoding: 'utf8',
      }).stdout.trim();
    expect(other()).toBe('store_locked');
    await put(memory, 2, 10);
    await memory.close();
    expect(other()).toBe('opened');
  });
});

describe('files of others and of the future', () => {
  it('refuses them and leaves them as they are', async () => {
    const text = fresh();
    writeFileSync(text, 'Dear diary, '.repeat(100));
    const sqlite = fresh();
    const db = new Database(sqlite);
    db.exec('CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)');
    db.close();
    const newer = fresh();
    await filled(newer, 2);
    const file = openFile(newer);
    file.db.prepare('PRAGMA user_version = 99').all();
    file.close();
    for (const [path, code] of [
      [text, 'store_foreign'],
      [sqlite, 'store_foreign'],
      [newer, 'store_newer'],
    ] as const) {
      const before = readFileSync(path);
      expect(await codeOf(Memory.open({ path, seed: 's' }))).toBe(code);
      expect(readFileSync(path)).toEqual(before);
    }
  });

  it('opens a file of schema 1 with everything in it, and goes on in the new one', async () => {
    const path = fresh();
    writeFileSync(path, gunzipSync(readFileSync(new URL('_testing/schema-1.db.gz', import.meta.url))));
    for (let round = 0; round < 2; round++) {
      const memory = await Memory.open({ path });
      expect(await memory.verify()).toEqual([]);
      const events = await memory.list({ limit: 1000 });
      expect(events.length).toBe(412 + round);
      const eighth = events.find((e) => 'provenance' in e && e.provenance.ordinal === 7);
      const provenance = { source: 'fixture', ordinal: 7, sha256: 'ab'.repeat(32), validFrom: 5, validTo: 9 };
      expect(eighth).toMatchObject({ provenance, meta: { i: 7 }, at: 7000 });
      const shortened = events.find((e) => 'provenance' in e && e.provenance.ordinal === 5);
      expect(shortened).toMatchObject({ sketch: { kept: 128 } });
      const links = [{ from: 1, kind: 'next', to: 2, weight: 3 }] as const;
      await memory.store.write([{ kind: 'relink', id: Buffer.from((eighth as { id: string }).id, 'hex'), links }]);
      expect((await memory.store.edges([2], ['previous'], 9))[0]).toMatchObject([{ to: 1, weight: 3, time: 7 }]);
      if (round === 0) {
        const root = board([1, 2, 3], 5);
        await memory.remember(root, { task: 't', provenance: { source: 'new' }, at: 9 });
        expect((await memory.recall({ root }, 1))[0]!.task).toBe('t');
      }
      await memory.close();
    }
  });

  it('brings older schemas up to date in numbered steps, each whole or not at all', async () => {
    const path = fresh();
    const ids = await filled(path, 3);
    const next = [...migrations, 'CREATE TABLE extra (x INTEGER); INSERT INTO extra SELECT count(*) FROM event;'];
    const broken = [...migrations, 'CREATE TABLE extra (x INTEGER); SELECT no_such_function();'];
    const before = readFileSync(path).subarray(16_384);
    expect(() => openFile(path, broken)).toThrow(CairnError);
    const file = openFile(path, next);
    expect(pragma(file.db, 'user_version')).toBe(migrations.length + 1);
    expect(pragma(file.db, 'application_id')).toBe(APPLICATION_ID);
    expect(file.db.prepare('SELECT x FROM extra').raw().get([])).toEqual([3]);
    expect(pragma(file.db, 'auto_vacuum')).toBe(2);
    expect(pragma(file.db, 'synchronous')).toBe(2);
    expect(pragma(file.db, 'secure_delete')).toBe(1);
    file.close();
    expect(before.length).toBeGreaterThan(0);
    expect(await codeOf(Memory.open({ path }))).toBe('store_newer');
    expect(ids.length).toBe(3);
  });
});
