// From what is stored of a board (decoded digits, receipt) to what a studio shows. Pure; the same for a fresh board and for
// one read back after years.
import type { StoredSketch } from '../../sketch/index.ts';
import { receiptUsage, type Receipt, type ReceiptCall } from '../receipt.ts';
import type { Json, Provenance } from '../module.ts';
import { CELLS } from './cells.ts';
import { checksumOf, decodePayload, type BoardPayload } from './payload.ts';
import type { BoardView, CallView, CellView, CertificateView, RouteView, SketchView } from './view.ts';

/** A stored board with its digits read back. */
export interface BoardRecord {
  readonly id: string;
  readonly ordinal: number;
  readonly at: number;
  readonly provenance: Provenance;
  readonly digits: Uint8Array;
  readonly receipt: Receipt;
  readonly payload: BoardPayload;
  readonly sketch: SketchView;
  /** [81] what the picture shows, where that is known. */
  readonly truth: Uint8Array | undefined;
  /** The solution of the digits, where they still are what was proved. */
  readonly solution: Uint8Array | undefined;
}

/** The calls that read the 81 cells, in order; fewer when the receipt is of something else. */
export function cellCalls(call: ReceiptCall): readonly ReceiptCall[] {
  const board = call.inputs.find((input) => input.call.task === 'read-board');
  return board?.call.inputs.map((input) => input.call) ?? [];
}

/** The second readings of doubtful cells, in the order of the payload's list. */
export function secondReadings(call: ReceiptCall): readonly ReceiptCall[] {
  return call.inputs.filter((input) => input.call.task === 'read-digit').map((input) => input.call);
}

export function toBoardView(record: BoardRecord): BoardView {
  const { payload, receipt, digits } = record;
  const exact = checksumOf(digits) === payload.checksum;
  const proved = payload.status === 'proved';
  return {
    id: record.id,
    ordinal: record.ordinal,
    at: record.at,
    source: record.provenance.source.split('/')[0]!,
    provenance: provenanceJson(record.provenance),
    status: payload.status,
    reason: proved ? null : payload.reason,
    cells: toCells(record),
    solution: proved && exact && record.solution ? [...record.solution] : null,
    solver: proved ? payload.solver : null,
    certificate: toCertificate(payload),
    cost: {
      flop: receiptUsage(receipt.call).flop,
      alwaysLargeFlop: payload.alwaysLargeFlop,
      ms: receiptUsage(receipt.call).ms,
    },
    sketch: record.sketch,
    escalated: payload.escalated.length,
    repaired: payload.repairs.length,
    exact,
  };
}

function toCells({ digits, receipt, payload, truth }: BoardRecord): CellView[] {
  const calls = cellCalls(receipt.call);
  const second = new Map(secondReadings(receipt.call).map((call, i) => [payload.escalated[i], call]));
  const repairs = new Map(payload.repairs.map((r) => [r.cell, r]));
  return Array.from({ length: CELLS }, (_, cell) => {
    const first = calls[cell];
    const again = second.get(cell);
    const repair = repairs.get(cell);
    const last = again ?? first;
    const asked = [first, again].flatMap(
      (call) => call?.attempts.filter((a) => a.outcome !== 'over-budget').map((a) => shortName(a.module)) ?? [],
    );
    const reader = repair ? 'repair' : last?.module === undefined ? 'none' : shortName(last.module);
    const runnerUp =
      payload.runnerUp[cell] === 0
        ? null
        : { digit: payload.runnerUp[cell]!, probability: payload.runnerUpProbability[cell]! };
    return {
      digit: digits[cell]!,
      given: digits[cell] !== 0,
      reader,
      asked,
      confidence: repair?.probability ?? last?.confidence ?? 0,
      runnerUp,
      ...(repair ? { repairedFrom: repair.from } : {}),
      ...(truth ? { truth: truth[cell]! } : {}),
    };
  });
}

function toCertificate(payload: BoardPayload): CertificateView | null {
  if (payload.status !== 'proved' || payload.proof === 'none') return null;
  const size = payload.proofSize;
  const says =
    payload.proof === 'trace'
      ? `${size} forced steps fill the board, so there is no other solution.`
      : size === 1
        ? 'Single candidates alone fill the board, so there is no other solution.'
        : `A search of ${size} nodes finds one full board and contradictions everywhere else.`;
  return { kind: payload.proof, says, size, checked: true };
}

/** Sizes of a stored sketch and of the receipt beside it. */
export function toSketchView(sketch: StoredSketch, bytes: number, receiptBytes: number): SketchView {
  const bits = sketch.spec.store === 'f32' ? 32 : sketch.spec.store === 'i8' ? 8 : 4;
  return { kept: sketch.kept, dims: sketch.spec.dim, bits, bytes, receiptBytes };
}

/** A receipt's calls as a tree; readings of cells say which cell. */
export function toCallView(receipt: Receipt, payload: BoardPayload | undefined): CallView {
  const cells = new Map(cellCalls(receipt.call).map((call, cell) => [call, cell]));
  secondReadings(receipt.call).forEach((call, i) => cells.set(call, payload?.escalated[i] ?? -1));
  const view = (call: ReceiptCall, weight: number): CallView => {
    const cell = cells.get(call);
    return {
      task: call.task,
      ...(cell === undefined || cell < 0 ? {} : { cell }),
      module: call.module ?? null,
      weight,
      confidence: call.confidence ?? null,
      route: toRoute(call),
      attempts: call.attempts.map((a) => ({
        module: a.module,
        outcome: a.outcome,
        confidence: a.confidence ?? null,
        flop: a.flop,
      })),
      usage: { flop: call.usage.flop, ms: call.usage.ms },
      calls: [...call.inputs.map((input) => view(input.call, input.weight)), ...call.lost.map((lost) => view(lost, 0))],
    };
  };
  return view(receipt.call, 1);
}

function toRoute({ route }: ReceiptCall): RouteView {
  return {
    by: route.by,
    chosen: route.chosen,
    path: route.path,
    expectedError: route.expectedError ?? null,
    interval: route.interval ?? null,
    expectedCost: route.expectedCost ?? null,
    runnerUp: route.runnerUp ?? null,
    cluster: route.cluster ?? null,
  };
}

/** The payload of a receipt; undefined when its root is no board. */
export function payloadOf(receipt: Receipt): BoardPayload | undefined {
  return receipt.call.task === 'solve-board' ? decodePayload(receipt.payload) : undefined;
}

/** `read-digit/small` -> `small`. */
export function shortName(module: string): string {
  return module.slice(module.indexOf('/') + 1);
}

/** A provenance as JSON, without what is not known. */
export function provenanceJson(provenance: Provenance): Json {
  return Object.fromEntries(Object.entries(provenance).filter(([, value]) => value !== undefined));
}
