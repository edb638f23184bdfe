// `cairn grow`: looks at what is remembered and lets concepts, patterns and modules come out of it; says what was not worth it too.
import { type Growth, openBoards } from '../../mind/index.ts';
import { type Command, memoryOptions } from '../command.ts';

export const grow: Command = {
  name: 'grow',
  about:
    'Find concepts, patterns and cheaper modules in what is remembered. Nothing is labelled; all figures are told.',
  usage: 'grow [--list]',
  options: {
    ...memoryOptions,
    list: { type: 'boolean', about: 'only list what grew before' },
    seed: { type: 'string', value: 'TEXT', about: 'seed of splits and training (default: cairn)' },
  },
  examples: ['cairn grow', 'cairn grow --list --json'],
  async run(args, io) {
    const seed = args.text('seed');
    const boards = await openBoards({
      ...io.place,
      ...(seed === undefined ? {} : { seed }),
      onProgress: (text) => io.progress(text),
    });
    try {
      if (args.flag('list')) {
        const growths = boards.growths.list();
        return { value: { growths }, text: growthText(growths) || 'Nothing grew yet. Run `cairn grow`.' };
      }
      const { events } = await boards.totals();
      const growths = await boards.growths.grow({
        again: true,
        signal: io.signal,
        onProgress: (says) => io.status(says),
      });
      const nothing = `Nothing new in ${events} remembered events; 40 are needed for concepts, 160 for a module.`;
      return { value: { events, growths }, text: growthText(growths) || nothing };
    } finally {
      await boards.close();
    }
  },
};

/** A line for each growth, with what makes it up. */
function growthText(growths: readonly Growth[]): string {
  return growths.map((g) => `${g.id.padStart(4)}  ${g.status.padEnd(10)}  ${g.says}${detail(g)}`).join('\n');
}

function detail(growth: Growth): string {
  const indent = `\n${' '.repeat(18)}`;
  if (growth.kind === 'circuit') {
    const { heldOut, savedShuffled, bitsBefore, bitsAfter } = growth;
    const best = growth.nodes[0];
    return [
      `${indent}${Math.round(savedShuffled)} of ${Math.round(bitsBefore - bitsAfter)} bits also in random order; on ${heldOut.streams} other streams ${Math.round(heldOut.bitsBefore)} -> ${Math.round(heldOut.bitsAfter)} bits`,
      best ? `${indent}${best.uses} times: ${best.pattern.slice(0, 4).join(' > ')}` : '',
    ].join('');
  }
  if (growth.kind === 'module' && growth.heldOut.events > 0) {
    const { cost, errors, heldOut, answered, costRatio } = growth;
    const share = (value: number): string => `${(100 * value).toFixed(1)} %`;
    return `${indent}cost ${share(costRatio.value)} [${share(costRatio.low)}, ${share(costRatio.high)}] of ${Math.round(cost.before)} flop; wrong ${errors.before} -> ${errors.after} of ${heldOut.examples}; answered ${answered.before} -> ${answered.after} of ${heldOut.events}`;
  }
  return '';
}
