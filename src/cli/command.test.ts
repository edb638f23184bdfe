import { describe, expect, it } from 'vitest';
import { commandHelp, nearest, parseCommand, type Command } from './command.ts';

const command: Command = {
  name: 'demo',
  about: 'A command for tests.',
  usage: 'demo [options]',
  options: { seed: { type: 'number', about: 'seed' }, fast: { type: 'boolean', about: 'fast' } },
  examples: ['cairn demo --seed 7'],
  run: async () => ({ value: {}, text: '' }),
};

describe('parseCommand', () => {
  it('reads options and positionals', () => {
    const args = parseCommand(command, ['a', '--seed', '7', '--fast', '--json']);
    expect([args.positionals, args.number('seed'), args.flag('fast'), args.flag('json')]).toEqual([
      ['a'],
      7,
      true,
      true,
    ]);
    expect(args.number('nothing')).toBeUndefined();
  });

  it('names the nearest option of a typo', () => {
    expect(() => parseCommand(command, ['--sed', '7'])).toThrow(
      "Expected options of `cairn demo`, got: Unknown option '--sed'.",
    );
    try {
      parseCommand(command, ['--sed', '7']);
    } catch (error) {
      expect((error as { hint: string }).hint).toContain('Did you mean --seed?');
    }
  });

  it.each(['x', '', 'NaN', '11'])('refuses --seed "%s"', (raw) => {
    expect(() => parseCommand(command, [`--seed=${raw}`]).number('seed', 0, 10)).toThrow(
      `Expected a number from 0 to 10 for --seed, got "${raw}".`,
    );
  });
});

it('help lists every option', () => {
  const help = commandHelp(command);
  for (const name of ['--seed N', '--fast', '--json', '--data DIR', 'cairn demo --seed 7'])
    expect(help).toContain(name);
});

it('nearest finds near words only', () => {
  expect(nearest('serv', ['serve', 'ask'])).toBe('serve');
  expect(nearest('zzzzzz', ['serve', 'ask'])).toBeUndefined();
});
