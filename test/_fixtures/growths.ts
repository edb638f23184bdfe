// What grew out of the fixture's boards, for tests of the server and the studio: one growth of every kind and state, with
// members that are really there. It stands for no result of the product.
import { CairnError } from '../../src/errors.ts';
import type {
  CircuitGrowth,
  ConceptGrowth,
  ConceptView,
  Growth,
  GrowthService,
  ModuleGrowth,
} from '../../src/mind/index.ts';
import type { BoardService } from '../../src/serve/index.ts';

const AT = Date.UTC(2026, 0, 5, 9, 30, 0);

/** Growth beside a board service; `grow` adds one circuit when `work` is done. */
export async function createFixtureGrowths(
  boards: BoardService,
  work: () => Promise<unknown> = () => new Promise((resolve) => setTimeout(resolve, 50)),
): Promise<GrowthService> {
  const events = (await boards.list({ limit: 100 })).map(({ id }) => id).reverse();
  const concepts = Array.from({ length: 10 }, (_, digit) => conceptOf(digit, events.length));
  const list: Growth[] = [
    moduleGrowth('14', 'declined', events.length),
    { ...moduleGrowth('13', 'withdrawn', 0), because: 'an event that it was made from was forgotten' },
    moduleGrowth('12', 'standing', events.length),
    circuit('11', events.length),
    ...concepts,
  ];
  let working = false;
  const get = (id: string): Growth => {
    const growth = list.find((g) => g.id === id);
    if (growth) return growth;
    throw new CairnError('not_found', `Expected the id of a growth, got ${id}.`);
  };
  return {
    list: () => list,
    get,
    eventsOf: (id) => (get(id).events === 0 ? [] : events),
    concept: async (id): Promise<ConceptView> => {
      const growth = get(id);
      if (growth.kind !== 'concept') throw new CairnError('not_found', `Expected a concept, got ${growth.kind}.`);
      const newest = await boards.list({ limit: 12 });
      const members = newest.flatMap((board) =>
        board.cells.flatMap((cell, i) =>
          cell.digit === growth.concept ? [{ event: board.id, path: `0/0/${i}` }] : [],
        ),
      );
      return {
        growth,
        members,
        losses: newest.map(({ id: event }) => {
          const objects = members.filter((m) => m.event === event).length;
          return { event, objects, left: growth.objects - objects, shift: 0, similarity: 1, withdrawn: ['11', '12'] };
        }),
        lost: { objects: growth.objects, edges: 1, equations: 9 },
      };
    },
    get growing() {
      return working;
    },
    grow: async (policy = {}) => {
      working = true;
      policy.onProgress?.('looking for patterns in deductions');
      await work();
      const grown = circuit('15', events.length);
      list.unshift(grown);
      working = false;
      return [grown];
    },
  };
}

function conceptOf(digit: number, events: number): ConceptGrowth {
  const mean = Array.from({ length: 10 }, (_, i) => (i === digit ? 1 : 0));
  return {
    id: `${digit + 1}`,
    kind: 'concept',
    name: `concept/read-digit/${digit}`,
    status: 'standing',
    at: AT,
    events,
    module: 'read-digit',
    concept: digit,
    node: digit + 1,
    objects: 4 * events,
    members: 1,
    bucket: digit.toString(2).padStart(4, '0'),
    spread: 0,
    mean,
    signature: { size: 10, rank: 1, nullity: 9, threshold: 1e-4 },
    says: `${4 * events} outputs of read-digit in ${events} events satisfy 9 equations in common.`,
  };
}

function circuit(id: string, events: number): CircuitGrowth {
  const step = 'only candidate, by row';
  return {
    id,
    kind: 'circuit',
    name: 'circuit/deductions',
    status: 'standing',
    at: AT + 60_000,
    events,
    says: '15 patterns in chains of deductions, each made possible by the one before, save 15511 of 44509 bits.',
    streams: 1725,
    symbols: 9089,
    bitsBefore: 44_509,
    bitsAfter: 28_998,
    savedShuffled: 11_680,
    heldOut: { streams: 440, bitsBefore: 9496, bitsAfter: 5984 },
    nodes: [
      { pattern: ['only candidate, by column', step], uses: 474, length: 2, saved: 2217 },
      {
        pattern: ['locked candidates, by box', ...Array.from({ length: 5 }, () => step)],
        uses: 230,
        length: 6,
        saved: 1070,
      },
    ],
    nodeCount: 15,
  };
}

function moduleGrowth(id: string, status: ModuleGrowth['status'], events: number): ModuleGrowth {
  const held = status === 'withdrawn' ? 0 : 45;
  return {
    id,
    kind: 'module',
    name: 'module/read-digit',
    status,
    at: AT + 120_000,
    events,
    says:
      status === 'standing'
        ? 'read-digit/grown-1 makes an event cost 61.0 % of before, at equal quality.'
        : 'No cheaper module for read-digit.',
    ...(status === 'declined' ? { because: 'an event would cost 98.1 % of before, up to 101.2 %' } : {}),
    task: 'read-digit',
    module: 'read-digit/grown-1',
    composition: {
      path: ['read-digit/small', 'read-digit/medium', 'read-digit/large'],
      calls: 420,
      of: 11_400,
      costShare: 0.71,
    },
    flop: 1_367_578,
    hash: status === 'standing' ? 'f1'.repeat(32) : '',
    bytes: status === 'standing' ? 402_113 : 0,
    learned: 5321,
    heldOut: { events: held, examples: 37 * held },
    cost: { before: 9_100_000, refitted: 8_900_000, after: 5_551_000 },
    errors: { before: 9, after: 8 },
    answered: { before: 44, after: 45 },
    costRatio: { value: 0.61, low: 0.52, high: 0.71 },
    errorChange: { value: -0.0006, low: -0.0018, high: 0.0007 },
  };
}
