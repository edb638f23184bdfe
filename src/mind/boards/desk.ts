// The desk where boards come in and are looked at again: asks the mind, and turns what is stored into plain views. Holds a
// small cache of decoded boards; everything else is in the memory.
import { createHash } from 'node:crypto';
import { CairnError } from '../../errors.ts';
import type { Hit, Memory, StoredEvent } from '../../memory/index.ts';
import { solveUnique } from '../../reason/index.ts';
import { unroll, type Obj } from '../../sketch/index.ts';
import { slices } from '../_slices.ts';
import type { GrowthService } from '../growth/index.ts';
import type { Mind } from '../mind.ts';
import type { EventId, Outcome, Provenance, Reply } from '../module.ts';
import { decodeReceipt, forEachCall, receiptOf } from '../receipt.ts';
import { CELLS, DIGIT_GROUPS, oneHotDigit, SIDE, type BoardPicture } from './cells.ts';
import { digitsOf, eraseView } from './erase.ts';
import { type GeneratedBoard, generatedProvenance } from './generated.ts';
import type { Handwriting } from './growth/handwriting.ts';
import { checksumOf } from './payload.ts';
import { proofSteps } from './proof.ts';
import { nameCell, type BoardAnswer } from './solve-board.ts';
import { payloadOf, provenanceJson, toBoardView, toCallView, toSketchView, type BoardRecord } from './to-view.ts';
import { Totals } from './totals.ts';
import type {
  BoardOutcome,
  Boards,
  BoardStream,
  BoardView,
  ErasureView,
  EventView,
  ForgetView,
  HitView,
  PictureView,
  RelatedView,
  SketchNumbersView,
  TotalsView,
} from './view.ts';

export interface DeskOptions {
  readonly mind: Mind;
  readonly handwriting: Handwriting;
  /** Cuts a user's picture into 81 cells. */
  readonly cut: (png: Uint8Array) => BoardPicture;
  readonly seed: string | number;
  /** Steady milliseconds, for boards per second only. */
  readonly timer: () => number;
  /** Teach the router from proved boards. Default true. */
  readonly learn?: boolean;
  /** Called last when the desk is closed. */
  readonly onClose?: () => Promise<void>;
}

const CACHE = 256;
const CELL_PATH = '0/0/';

export class Desk implements Boards {
  readonly mind: Mind;
  readonly #options: DeskOptions;
  readonly #totals: Totals;
  readonly #records = new Map<string, BoardRecord>();
  readonly #finished: number[] = [];

  private constructor(options: DeskOptions, totals: Totals) {
    this.mind = options.mind;
    this.#options = options;
    this.#totals = totals;
  }

  /** Digits are the components that have names. */
  get memory(): { memory: Memory; label: (key: number) => string | undefined } {
    const { memory } = this.mind;
    const names = new Map(
      Array.from({ length: 10 }, (_, d) => [memory.nodeOf(cellObject(d)), d === 0 ? 'empty cell' : `digit ${d}`]),
    );
    return { memory, label: (key) => names.get(key) };
  }

  get growths(): GrowthService {
    return this.mind.growths;
  }

  static async open(options: DeskOptions): Promise<Desk> {
    const desk = new Desk(options, await Totals.open(options.mind.memory.store));
    await desk.#countMissing();
    return desk;
  }

  /** Asks the mind about one board; durable when it resolves. */
  async ask(picture: BoardPicture, provenance: Provenance, signal?: AbortSignal): Promise<BoardView> {
    const reply = await this.mind.ask<BoardAnswer>('solve-board', picture, {
      provenance,
      ...(signal ? { signal } : {}),
    });
    if (!reply.output || !reply.remembered) {
      const { failure } = reply;
      throw new CairnError(
        failure?.code ?? 'unreadable_board',
        failure?.message ?? `Expected a board that can be read, got none: ${reply.reason}.`,
        failure?.hint === undefined ? {} : { hint: failure.hint },
      );
    }
    const record = this.#fresh(reply, provenance);
    const view = toBoardView(record);
    if (this.#options.learn !== false && view.status === 'proved') this.#learn(reply);
    this.#finished.push(this.#options.timer());
    if (this.#finished.length > 11) this.#finished.shift();
    if (!reply.remembered.duplicate) await this.#totals.add(view, provenance, isWrong(record));
    return view;
  }

  async askImage(png: Uint8Array, options: { name?: string; signal?: AbortSignal } = {}): Promise<BoardView> {
    const picture = this.#options.cut(png);
    const sha256 = createHash('sha256').update(png).digest('hex');
    return this.ask(
      picture,
      { source: options.name === undefined ? 'image' : `image/${options.name}`, sha256 },
      options.signal,
    );
  }

  stream(options: { seed?: string | number; from?: number } = {}): BoardStream {
    const seed = options.seed ?? this.#options.seed;
    let index = options.from ?? this.#totals.nextIndex(seed);
    const next = async (signal?: AbortSignal): Promise<BoardView> => {
      signal?.throwIfAborted();
      const board = this.generated(seed, index);
      const view = await this.ask(board.picture, generatedProvenance(seed, index), signal);
      index++;
      return view;
    };
    return {
      next,
      get index() {
        return index;
      },
      async *[Symbol.asyncIterator]() {
        for (;;) yield await next();
      },
    };
  }

  /** A generated board with its handwriting. */
  generated(seed: string | number, index: number): GeneratedBoard {
    return this.#options.handwriting.board(seed, index);
  }

  async list(options: { before?: number; limit?: number } = {}): Promise<BoardView[]> {
    const events = await this.mind.memory.list(options);
    return events.flatMap((event) =>
      'quarantined' in event || event.task !== 'solve-board' ? [] : (this.#view(event) ?? []),
    );
  }

  async board(id: EventId): Promise<BoardView> {
    return toBoardView(this.#expectRecord(await this.mind.get(id)));
  }

  async event(id: EventId): Promise<EventView> {
    const event = await this.mind.get(id);
    const receipt = receiptOf(event);
    const record = this.#record(event);
    if (!receipt)
      throw new CairnError('bad_receipt', 'Expected an event with a readable receipt, got a damaged one.', {
        hint: 'Its sketch can still be erased step by step or forgotten.',
      });
    const board = record ? toBoardView(record) : null;
    return {
      id,
      ordinal: event.ordinal,
      at: event.at,
      task: event.task,
      provenance: provenanceJson(event.provenance),
      call: toCallView(receipt, record?.payload),
      sketch: toSketchView(event.sketch, event.bytes, receiptBytes(event)),
      board,
      proof: board?.status === 'proved' && board.exact ? proofSteps(record!.digits, record!.payload.solver) : [],
    };
  }

  async erase(id: EventId, keep: number): Promise<ErasureView> {
    const event = await this.mind.get(id);
    return eraseView(event, keep, this.#expectRecord(event).digits);
  }

  async sketch(id: EventId): Promise<SketchNumbersView> {
    const { sketch } = await this.mind.get(id);
    return { id, dims: sketch.spec.dim, kept: sketch.kept, step: sketch.step, values: [...sketch.codes] };
  }

  async related(id: EventId, cell?: number, k = 8): Promise<RelatedView> {
    const event = await this.mind.get(id);
    const record = this.#expectRecord(event);
    if (cell === undefined) {
      const hits = await this.mind.recall({ event: id }, k + 1);
      return { id, cell: null, digit: null, hits: await this.#hits(hits, id, k) };
    }
    if (!Number.isInteger(cell) || cell < 0 || cell >= CELLS) {
      throw new CairnError('bad_cell', `Expected a cell from 0 to 80, got ${cell}.`);
    }
    const digit = record.digits[cell]!;
    const hits = await this.mind.recallComponent(cellObject(digit), k + 1, { position: `${CELL_PATH}${cell}` });
    return { id, cell, digit, hits: await this.#hits(hits, id, k) };
  }

  async recall(cue: { readonly digits: readonly number[] }, k = 8): Promise<readonly HitView[]> {
    if (cue.digits.length !== CELLS || cue.digits.every((d) => d === 0)) {
      throw new CairnError('bad_cue', `Expected 81 digits of which some are known, got ${cue.digits.length}.`, {
        hint: 'Use 0 for cells that are not known.',
      });
    }
    const components = cue.digits.flatMap((digit, cell) =>
      digit === 0 ? [] : [{ object: cellObject(digit), position: `${CELL_PATH}${cell}` }],
    );
    return this.#hits(await this.mind.recall({ components }, k), undefined, k);
  }

  async picture(id: EventId): Promise<PictureView | null> {
    const drawn = this.#options.handwriting.of((await this.mind.get(id)).provenance);
    if (!drawn) return null;
    const { picture } = drawn;
    const grey = Uint8Array.from(picture.cells, (ink) => Math.round(ink * 255));
    return { side: SIDE, cells: Buffer.from(grey).toString('base64') };
  }

  async totals(): Promise<TotalsView> {
    const { counts } = this.#totals;
    const { events } = await this.mind.stats();
    const first = this.#finished[0];
    const last = this.#finished.at(-1);
    const seconds = first === undefined || last === undefined ? 0 : (last - first) / 1000;
    return {
      boards: counts.boards,
      proved: counts.proved,
      withheld: counts.withheld,
      readers: { ...counts.readers },
      escalated: counts.escalated,
      repaired: counts.repaired,
      solvers: { ...counts.solvers },
      flop: counts.flop,
      alwaysLargeFlop: counts.alwaysLargeFlop,
      costRatio: counts.alwaysLargeFlop === 0 ? 0 : counts.flop / counts.alwaysLargeFlop,
      wrongProved: counts.wrongProved,
      events,
      sketchBytes: counts.sketchBytes,
      bytesPerEvent: counts.boards === 0 ? 0 : counts.sketchBytes / counts.boards,
      boardsPerSecond: seconds > 0 ? (this.#finished.length - 1) / seconds : 0,
    };
  }

  async feedback(id: EventId, outcome: BoardOutcome): Promise<void> {
    const event = await this.mind.get(id);
    const record = this.#expectRecord(event);
    const told = new Map((outcome.cells ?? []).map((c) => [c.cell, c.digit]));
    const amended: boolean[] = [];
    forEachCall(record.receipt.call, (call) => call.task === 'read-digit' && amended.push(call.amended));
    // What was read first: unknown where it was amended, except that it was not the digit taken in the end.
    const verdicts = Array.from({ length: CELLS }, (_, cell) => {
      const truth = told.get(cell) ?? (outcome.right === true ? record.digits[cell]! : undefined);
      if (truth === undefined) return null;
      if (!amended[cell]) return truth === record.digits[cell];
      return truth === record.digits[cell] ? false : null;
    });
    const nested: Outcome['nested'] = { 'read-digit': verdicts };
    await this.mind.feedback(id, { nested });
  }

  async forget(id: EventId, how: 'subtract' | { keep: number }): Promise<ForgetView> {
    const erasure = await this.mind.forget(id, how);
    this.#records.delete(id);
    const says =
      how === 'subtract'
        ? `The event and its ${erasure.bytesBefore} bytes are gone; ${erasure.aggregates.length} statistics were corrected.`
        : `${erasure.keptAfter} of ${erasure.keptBefore} numbers are left; components are ${erasure.components}.`;
    return { id, bytesBefore: erasure.bytesBefore, bytesAfter: erasure.bytesAfter, says };
  }

  async close(): Promise<void> {
    await this.#totals.save();
    await this.mind.close();
    await this.#options.onClose?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Counts boards that were recorded after the totals were saved; in a memory that came without totals these are all. */
  async #countMissing(): Promise<void> {
    const pause = slices();
    const missing: StoredEvent[] = [];
    for (let before: number | undefined; ;) {
      const page = await this.mind.memory.list({ limit: 100, ...(before === undefined ? {} : { before }) });
      for (const event of page)
        if (!('quarantined' in event) && event.ordinal > this.#totals.upTo && event.task === 'solve-board')
          missing.push(event);
      before = page.at(-1)?.ordinal;
      if (before === undefined || before <= this.#totals.upTo) break;
      await pause();
    }
    for (const event of missing.reverse()) {
      const record = this.#record(event);
      if (record) await this.#totals.add(toBoardView(record), event.provenance, isWrong(record));
      await pause();
    }
  }

  #learn(reply: Reply<BoardAnswer>): void {
    const cells = reply.trace.inputs.find((input) => input.node.task === 'read-board')?.node.inputs ?? [];
    for (const { node } of cells) this.mind.learn(node, !node.amended);
  }

  #fresh(reply: Reply<BoardAnswer>, provenance: Provenance): BoardRecord {
    const kept = reply.remembered!;
    const receipt = decodeReceipt(kept.receipt);
    const { spec } = this.mind.memory;
    const bits = spec.store === 'f32' ? 32 : spec.store === 'i8' ? 8 : 4;
    const { digits, solution } = reply.output!;
    return this.#keep({
      id: reply.event!,
      ordinal: kept.ordinal,
      at: kept.at,
      provenance,
      digits,
      receipt,
      payload: payloadOf(receipt)!,
      sketch: { kept: spec.dim, dims: spec.dim, bits, bytes: kept.bytes, receiptBytes: kept.receipt.length },
      truth: this.truthOf(provenance),
      solution: solution ?? undefined,
    });
  }

  #record(event: StoredEvent): BoardRecord | undefined {
    const cached = this.#records.get(event.id);
    if (cached?.sketch.kept === event.sketch.kept) return cached;
    const receipt = receiptOf(event);
    const payload = receipt ? payloadOf(receipt) : undefined;
    if (!receipt || !payload) return undefined;
    const digits = digitsOf(unroll(event.sketch, event.structure)) ?? new Uint8Array(CELLS);
    const sound = payload.status === 'proved' && checksumOf(digits) === payload.checksum;
    return this.#keep({
      id: event.id,
      ordinal: event.ordinal,
      at: event.at,
      provenance: event.provenance,
      digits,
      receipt,
      payload,
      sketch: toSketchView(event.sketch, event.bytes, receiptBytes(event)),
      truth: this.truthOf(event.provenance),
      solution: sound ? solveUnique(digits) : undefined,
    });
  }

  /** [81] what a generated board shows, 0 blank; undefined for any other. */
  truthOf(provenance: Provenance): Uint8Array | undefined {
    return this.#options.handwriting.of(provenance)?.puzzle;
  }

  #keep(record: BoardRecord): BoardRecord {
    this.#records.delete(record.id);
    this.#records.set(record.id, record);
    if (this.#records.size > CACHE) this.#records.delete(this.#records.keys().next().value!);
    return record;
  }

  #expectRecord(event: StoredEvent): BoardRecord {
    const record = this.#record(event);
    if (record) return record;
    throw new CairnError('not_a_board', `Expected the event of a board, got one of '${event.task}'.`, {
      hint: 'Ask for the id of a board.',
    });
  }

  #view(event: StoredEvent): BoardView | undefined {
    const record = this.#record(event);
    return record && toBoardView(record);
  }

  async #hits(hits: readonly Hit[], self: EventId | undefined, k: number): Promise<HitView[]> {
    const others = hits.filter((hit) => hit.id !== self).slice(0, k);
    return Promise.all(
      others.map(async (hit) => ({
        id: hit.id,
        ordinal: hit.ordinal,
        at: hit.at,
        score: hit.score,
        why: tellHit(hit),
        board: hit.task === 'solve-board' ? (this.#view(await this.mind.get(hit.id)) ?? null) : null,
      })),
    );
  }
}

/** A read cell as a component to look for. */
function cellObject(digit: number): Obj {
  return { module: 'read-digit', attributes: oneHotDigit(digit), groups: DIGIT_GROUPS };
}

function tellHit(hit: Hit): string {
  const cells = hit.shared.filter((s) => s.path.startsWith(CELL_PATH));
  const rarest = cells.toSorted((a, b) => b.weight - a.weight)[0];
  const parts = [];
  if (rarest) {
    const where = nameCell(Number(rarest.path.slice(CELL_PATH.length)));
    parts.push(
      cells.length === 1
        ? `the same in ${where}; ${rarest.events} events have it`
        : `${cells.length} cells in common, the rarest in ${where} (${rarest.events} events have it)`,
    );
  }
  if (hit.centred !== undefined) parts.push(`similarity ${hit.centred.toFixed(2)}`);
  return parts.join('; ') || 'a similar whole';
}

/** Given as proved, and not what was written. */
function isWrong(record: BoardRecord): boolean {
  const { truth, payload, digits } = record;
  return (
    truth !== undefined &&
    payload.status === 'proved' &&
    checksumOf(digits) === payload.checksum &&
    truth.some((digit, cell) => digit !== digits[cell])
  );
}

function receiptBytes(event: StoredEvent): number {
  return event.meta instanceof Uint8Array ? event.meta.length : 0;
}
