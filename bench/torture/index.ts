// `cairn bench torture`: kill -9 in the middle of a stream of writes, 200 times; counts what the memory lost. There is no
// peer: the only right number is 0. With --quick 20 kills.
import { CairnError } from 'cairn/errors';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { torture } from './torture.ts';

export async function run(options: BenchOptions): Promise<BenchReport> {
  const { seed = 7, signal, log } = options;
  const result = await torture({
    kills: options.quick ? 20 : 200,
    seed,
    ...(log === undefined ? {} : { log }),
    ...(signal === undefined ? {} : { signal }),
  });
  const row = (name: string, value: number, unit = 'events'): BenchRow => ({
    case: name,
    ours: value,
    peer: null,
    peerName: '',
    ratio: null,
    unit,
  });
  if (result.lost + result.returned + result.halved > 0) {
    throw new CairnError(
      'torture_failed',
      `Expected nothing lost, returned or halved, got ${result.lost}, ${result.returned} and ${result.halved}.`,
      { details: { ...result }, hint: `Run it again with seed ${seed}.` },
    );
  }
  return {
    name: 'torture',
    protocol: {
      what: 'a process remembers, repeats and forgets boards in one SQLite file until SIGKILL; then the file is opened and compared',
      kills: result.kills,
      seed,
      seconds: Math.round(result.seconds),
    },
    rows: [
      row('killed in the stream of writes', result.kills - result.early, 'kills'),
      row('killed while opening', result.early, 'kills'),
      row('acknowledged', result.acknowledged),
      row('forgotten', result.forgotten),
      row('repeated', result.repeated),
      row('whole, their acknowledgement cut off', result.unsaid),
      row('lost', result.lost),
      row('forgotten and back', result.returned),
      row('half there', result.halved),
    ],
  };
}
