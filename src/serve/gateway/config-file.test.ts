// Editing the configuration while the gateway runs: secrets stay where they are, two editors do not overwrite each other, a faulty
// change changes nothing, and what is written is what runs.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Gateway } from './gateway.ts';
import { outcomesOverTime } from './outcomes-over-time.ts';
import { Rng } from '../../tensor/index.ts';
import type { DecisionRecord } from './explain.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const SECRET = 'sk-canary-123456789abcdef';
const provider = {
  id: 'one',
  kind: 'openai',
  baseUrl: 'https://one.example/v1',
  headers: { authorization: `Bearer ${SECRET}`, 'x-api-key': 'swordfish' },
};
const other = { id: 'two', kind: 'openai', baseUrl: 'https://two.example/v1', apiKeyEnv: 'KEY' };
const model = (id: string, name = 'one'): object => ({ id, provider: name, priceIn: 1 });

test('a file that is not there yet is made by the first change, for its owner only', async () => {
  const configPath = join(dir, 'new', 'cairn.json');
  const gateway = await Gateway.open({ configPath, configOptional: true });
  const view = gateway.file();
  expect(view).toMatchObject({ exists: false, config: {} });
  const config = { providers: [other], models: [model('m', 'two')] };
  const checked = await gateway.edit(view.version, config, true);
  expect(checked).toEqual(view);
  expect(existsSync(configPath)).toBe(false);
  const written = await gateway.edit(view.version, config);
  expect(JSON.parse(readFileSync(configPath, 'utf8'))).toEqual(config);
  expect(statSync(configPath).mode & 0o777).toBe(0o600);
  expect(gateway.config.models.map((m) => m.id)).toEqual(['m']);
  expect(written.version).not.toBe(view.version);
  // What was written here is not taken a second time.
  const { pool } = gateway.current;
  expect(await gateway.reload()).toBe(true);
  expect(gateway.current.pool).toBe(pool);
  await gateway.close();
});

test('secrets are masked in the view and kept in the file, wherever their provider moves', async () => {
  const configPath = join(dir, 'cairn.json');
  writeFileSync(configPath, JSON.stringify({ providers: [provider], models: [model('m')] }));
  chmodSync(configPath, 0o640);
  const gateway = await Gateway.open({ configPath });
  const view = gateway.file();
  expect(JSON.stringify(view)).not.toMatch(`${SECRET}|swordfish`);
  const config = view.config as { providers: object[]; models: object[] };
  const next = { ...config, providers: [other, ...config.providers], models: [...config.models, model('n', 'two')] };
  const after = await gateway.edit(view.version, next);
  expect(JSON.stringify(after)).not.toContain(SECRET);
  const file = JSON.parse(readFileSync(configPath, 'utf8')) as { providers: object[] };
  expect(file.providers).toEqual([other, provider]);
  expect(statSync(configPath).mode & 0o777).toBe(0o640);

  // An editor that saw an older file is refused; a mask for another provider, and a fault, change nothing.
  await expect(gateway.edit(view.version, next)).rejects.toMatchObject({ code: 'config_changed' });
  const text = readFileSync(configPath, 'utf8');
  const stolen = { providers: [{ ...other, headers: { authorization: 'Bearer [redacted]' } }] };
  await expect(gateway.edit(after.version, stolen)).rejects.toMatchObject({ code: 'bad_config' });
  await expect(gateway.edit(after.version, { ...next, models: [model('x', 'nobody')] })).rejects.toThrow(
    'Expected a configured provider, got "nobody"',
  );
  await expect(gateway.edit(after.version, { routing: { router: './none' } })).rejects.toThrow();
  expect(readFileSync(configPath, 'utf8')).toBe(text);
  expect(gateway.config.models.map((m) => m.id)).toEqual(['m', 'n']);
  await gateway.close();
});

test('a file that cannot be written leaves the configuration as it was', async () => {
  const folder = join(dir, 'blocked');
  mkdirSync(folder);
  const configPath = join(folder, 'cairn.json');
  writeFileSync(configPath, JSON.stringify({ providers: [other], models: [model('m', 'two')] }));
  const gateway = await Gateway.open({ configPath });
  const { version } = gateway.file();
  // A folder stands where the draft is written.
  mkdirSync(`${configPath}.${process.pid}.new`);
  await expect(gateway.edit(version, {})).rejects.toMatchObject({ code: 'config_not_written' });
  expect(gateway.config.models).toHaveLength(1);
  await gateway.close();
  const without = await Gateway.open({});
  expect(() => without.file()).toThrow('started without one');
  await without.close();
});

test('what was expected beside what came: calm when calibrated, loud when a model has changed', () => {
  let alarms = 0;
  for (let seed = 0; seed < 40; seed++) {
    const rng = new Rng(`time/${seed}`);
    const answer = (i: number, wrong: (p: number) => number): DecisionRecord => {
      const p = 0.05 + 0.4 * rng.uniform();
      const outcome = rng.uniform() < wrong(p) ? 0 : 1;
      return { id: `${i}`, at: i, status: 200, expectedError: p, outcome } as DecisionRecord;
    };
    const calm = outcomesOverTime(Array.from({ length: 300 }, (_, i) => answer(i, (p) => p)).reverse());
    if (calm.drifted) alarms++;
    expect(calm.outcomes).toBe(300);
    expect(calm.stretches).toHaveLength(24);
    expect(calm.stretches.reduce((sum, s) => sum + s.count, 0)).toBe(300);
    const errors = calm.stretches.reduce((sum, s) => sum + (s.told - s.expected) * s.count, 0);
    expect(calm.stretches.at(-1)!.excess).toBeCloseTo(errors, 9);
    const changed = outcomesOverTime(
      Array.from({ length: 300 }, (_, i) => answer(i, (p) => (i < 150 ? p : Math.min(1, p + 0.3)))),
    );
    expect(changed.drifted).toBe(true);
  }
  expect(alarms).toBeLessThanOrEqual(2);
  expect(outcomesOverTime([]).drifted).toBe(false);
  expect(outcomesOverTime([]).stretches).toEqual([]);
});
