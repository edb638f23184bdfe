// /metrics in Prometheus' text format: what the mind did, what it cost, what the process uses. Counters only grow.
import type { TotalsView } from '../mind/index.ts';
import type { StreamState } from './views.ts';

/** What is measured beside the totals. */
export interface ProcessFigures {
  readonly uptimeSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Finished requests by class of status: `2xx` … `5xx`. */
  readonly requests: ReadonlyMap<string, number>;
}

interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

/** The whole page. `totals` is undefined while the memory is still opening. */
export function toMetrics(totals: TotalsView | undefined, stream: StreamState, figures: ProcessFigures): string {
  const families: Family[] = [
    gauge('cairn_up', 'Whether the memory and the models are open.', totals === undefined ? 0 : 1),
    gauge('cairn_uptime_seconds', 'Seconds since the server started.', figures.uptimeSeconds),
    gauge('cairn_resident_memory_bytes', 'Memory of the process.', figures.residentBytes),
    gauge('cairn_heap_used_bytes', 'JavaScript heap in use.', figures.heapBytes),
    gauge('cairn_watchers', 'Readers of the event stream.', stream.watchers),
    gauge('cairn_stream_running', 'Whether boards are being worked on.', stream.running ? 1 : 0),
    {
      name: 'cairn_http_requests_total',
      type: 'counter',
      help: 'Finished requests by class of status.',
      samples: [...figures.requests].map(([status, count]) => [{ status }, count] as const),
    },
  ];
  if (totals !== undefined) families.push(...ofMind(totals));
  return families.map(toText).join('');
}

function ofMind(totals: TotalsView): Family[] {
  return [
    {
      name: 'cairn_boards_total',
      type: 'counter',
      help: 'Boards by outcome.',
      samples: [
        [{ outcome: 'proved' }, totals.proved],
        [{ outcome: 'withheld' }, totals.withheld],
      ],
    },
    counter(
      'cairn_boards_wrong_proved_total',
      'Proved answers that differ from the generated puzzle; must stay 0.',
      totals.wrongProved,
    ),
    {
      name: 'cairn_cells_read_total',
      type: 'counter',
      help: 'Cells with ink by the reader that decided.',
      samples: Object.entries(totals.readers).map(([reader, count]) => [{ reader }, count] as const),
    },
    counter('cairn_cells_escalated_total', 'Readings changed by the largest reader.', totals.escalated),
    counter('cairn_cells_repaired_total', 'Readings changed by the rules of the puzzle.', totals.repaired),
    {
      name: 'cairn_boards_solved_total',
      type: 'counter',
      help: 'Proved boards by solver.',
      samples: Object.entries(totals.solvers).map(([solver, count]) => [{ solver }, count] as const),
    },
    {
      name: 'cairn_flop_total',
      type: 'counter',
      help: 'Floating point operations: as routed, and as the largest reader alone would have needed.',
      samples: [
        [{ policy: 'routed' }, totals.flop],
        [{ policy: 'always_large' }, totals.alwaysLargeFlop],
      ],
    },
    gauge('cairn_events', 'Events in memory.', totals.events),
    gauge('cairn_sketch_bytes', 'Bytes of all stored sketches.', totals.sketchBytes),
  ];
}

function gauge(name: string, help: string, value: number): Family {
  return { name, type: 'gauge', help, samples: [[{}, value]] };
}

function counter(name: string, help: string, value: number): Family {
  return { name, type: 'counter', help, samples: [[{}, value]] };
}

function toText({ name, type, help, samples }: Family): string {
  const lines = samples.map(
    ([labels, value]) => `${name}${toLabels(labels)} ${Number.isFinite(value) ? value : 'NaN'}\n`,
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function toLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value.replace(/[\\"\n]/g, '_')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
