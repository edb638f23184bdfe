// The command line end to end: exit codes, texts for people, JSON for machines, and what happens with bad input.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from './_fixtures/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-cli-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('cairn', { timeout: 240_000 }, () => {
  it('lists its commands', async () => {
    const { code, stdout } = await runCli(['--help']);
    expect(code).toBe(0);
    for (const name of ['serve', 'ask', 'recall', 'train', 'generate', 'export', 'lab', 'bench', 'store', 'doctor']) {
      expect(stdout).toContain(`cairn ${name}`);
    }
  });

  it.each([
    [['sreve'], 2, 'Did you mean `cairn serve`?'],
    [['lab', '--sed', '7'], 2, 'Did you mean --seed?'],
    [['lab', 'recursive-sketch'], 2, 'Did you mean "recursive-sketches"?'],
    [['ask', 'solve-board'], 2, 'Expected --image FILE, got none.'],
    [['train', 'lm', '--text', 'no-such-file.txt'], 1, 'Expected a text file that can be read'],
    [['serve', '--port', '99999'], 2, 'Expected a number from 0 to 65535 for --port, got "99999".'],
  ])('%j ends with a text that helps', async (args, expected, text) => {
    const { code, stderr, stdout } = await runCli(args);
    expect(stderr).toContain(text);
    expect(stderr).not.toContain('    at ');
    expect([code, stdout]).toEqual([expected, '']);
  });

  it('answers a truncated picture with a coded error, in JSON too', async () => {
    const image = join(dir, 'cut.png');
    writeFileSync(image, Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'));
    const { code, stdout, stderr } = await runCli([
      'ask',
      'solve-board',
      '--image',
      image,
      '--data',
      join(dir, 'a'),
      '--json',
    ]);
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect(error.code).toMatch(/^[a-z_]+$/);
    expect(error.message).toContain('Expected');
    expect(stderr).toContain(error.code);
  });

  it('checks the machine', async () => {
    const { code, stdout } = await runCli(['doctor', '--json', '--data', join(dir, 'b')]);
    const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: { name: string }[] };
    expect([code, ok]).toEqual([0, true]);
    expect(checks.map((c) => c.name)).toContain('onnxruntime-node');
  });

  it('trains a language model, samples from it and exports it', async () => {
    const text = join(dir, 'text.txt');
    writeFileSync(text, 'the quick brown fox jumps over the lazy dog\n'.repeat(400));
    const out = join(dir, 'lm');
    const trained = await runCli(['train', 'lm', '--text', text, '--steps', '3', '--out', out, '--json', '--quiet']);
    expect(trained.stderr).toBe('');
    const report = JSON.parse(trained.stdout) as { steps: number; validLoss: number };
    expect(report.steps).toBe(3);
    expect(report.validLoss).toBeGreaterThan(0);

    const sample = ['generate', '--model', out, '--tokens', '20', '--seed', '5', '--json', '--quiet'];
    const [first, second] = [await runCli(sample), await runCli(sample)];
    const told = ({ stdout }: { stdout: string }): string => (JSON.parse(stdout) as { text: string }).text;
    expect(told(first)).toBe(told(second));
    expect(told(first)).toHaveLength(20);

    const exported = await runCli(['export', out, '--json']);
    const { files } = JSON.parse(exported.stdout) as { files: { file: string; bytes: number }[] };
    expect(files.map((f) => f.file.split('/').at(-1))).toEqual(['model.onnx', 'decoder.onnx']);
  });
});
