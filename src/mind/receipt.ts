// The receipt of an event: who answered every call, at what cost, and what the root module wants kept (a proof, a checksum).
// A few bits a call, stored beside the sketch; the sketch itself holds what was answered.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { CairnError } from '../errors.ts';
import { ByteReader, ByteWriter } from './_bytes.ts';
import type { Attempt, RouteNote, TraceNode, Usage } from './module.ts';

/** A call as the receipt keeps it. Like a trace node, without what the sketch keeps and without wall-clock detail of attempts. */
export interface ReceiptCall {
  readonly task: string;
  readonly module: string | undefined;
  readonly confidence: number | undefined;
  readonly route: RouteNote;
  readonly attempts: readonly {
    readonly module: string;
    readonly outcome: Attempt['outcome'];
    readonly confidence: number | undefined;
    readonly flop: number;
  }[];
  readonly amended: boolean;
  /** flop and ms of this call without those below it. */
  readonly usage: Usage;
  readonly inputs: readonly { readonly call: ReceiptCall; readonly weight: number }[];
  /** Nested calls of attempts that did not become the answer. */
  readonly lost: readonly ReceiptCall[];
}

export interface Receipt {
  readonly call: ReceiptCall;
  /** What the root module wanted stored. */
  readonly payload: Uint8Array;
}

const BY = ['router', 'cheapest', 'only', 'pinned'] as const;
const OUTCOMES = ['answered', 'abstained', 'unsure', 'unproved', 'failed', 'over-budget'] as const;
const VERSION = 1;
/** Words that most receipts have; part of the format. */
const DICTIONARY = Buffer.from(
  'solve-board/read-and-provesolve-grid/exactsolve-grid/propagationread-board/cellsread-digit/largeread-digit/mediumread-digit/smallread-digit/ink',
);
/** A receipt never unpacks to more than this. */
const MAX_BYTES = 1 << 20;
const MAX_CALLS = 65_536;

/** Packs a finished trace. */
export function encodeReceipt(root: TraceNode, payload: Uint8Array): Uint8Array {
  const texts = new Table<string>((text) => text);
  const routes = new Table<RouteNote>((route) => JSON.stringify(route));
  const order = topological(root);
  const nodes = new Map(order.map((node, i) => [node, i]));
  // One column after the other: equal neighbours make long runs, and runs pack to almost nothing.
  const body = new ByteWriter();
  body.varint(order.length);
  for (const node of order) body.varint(texts.index(node.task));
  for (const node of order) body.varint(node.module === undefined ? 0 : 1 + texts.index(node.module));
  for (const node of order) body.varint(routes.index(node.route));
  for (const node of order) body.scaled(doubt(node.confidence));
  for (const node of order) body.u8(node.amended ? 1 : 0);
  for (const node of order) body.varint(node.usage.flop);
  for (const node of order) body.varint(node.usage.ms * 100);
  for (const node of order) body.varint(node.attempts.length);
  const attempts = order.flatMap((node) => node.attempts);
  for (const a of attempts) body.varint(texts.index(a.module));
  for (const a of attempts) body.u8(OUTCOMES.indexOf(a.outcome));
  for (const a of attempts) body.scaled(a.outcome === 'answered' ? undefined : doubt(a.confidence));
  for (const a of attempts) body.varint(a.usage.flop);
  order.forEach((node, i) => {
    const lost = node.attempts.flatMap((a) => a.calls ?? []);
    for (const children of [node.inputs, lost]) {
      body.varint(children.length);
      let previous = i;
      for (const child of children) {
        const index = nodes.get(child.node)!;
        body.varint(index > previous ? 2 * (index - previous) : 2 * (previous - index) + 1);
        if (children === node.inputs) body.varint(Math.round(child.weight * 1e6));
        previous = index;
      }
    }
  });
  const head = new ByteWriter();
  writeRoutes(head, routes.items, texts);
  const names = new ByteWriter().varint(texts.items.length);
  for (const text of texts.items) names.text(text);
  const whole = Buffer.concat([
    names.toBytes(),
    head.toBytes(),
    body.toBytes(),
    new ByteWriter().blob(payload).toBytes(),
  ]);
  return Buffer.concat([Uint8Array.of(VERSION), deflateRawSync(whole, { level: 9, dictionary: DICTIONARY })]);
}

/** @throws CairnError `bad_receipt` for anything `encodeReceipt` did not write */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  if (bytes[0] !== VERSION) throw fault(`version ${VERSION}`, `${bytes[0] ?? 'no bytes'}`);
  let plain: Uint8Array;
  try {
    plain = inflateRawSync(bytes.subarray(1), { maxOutputLength: MAX_BYTES, dictionary: DICTIONARY });
  } catch (cause) {
    throw new CairnError('bad_receipt', 'Expected a packed receipt, got bytes that do not unpack.', {
      cause,
      hint: 'The stored receipt is damaged; the sketch can still be read.',
    });
  }
  const reader = new ByteReader(plain);
  const list = <T>(limit: number, read: (i: number) => T): T[] =>
    Array.from({ length: reader.below(limit) }, (_, i) => read(i));
  const texts = list(MAX_CALLS, () => reader.text());
  const text = (): string => texts[reader.below(texts.length)]!;
  const routes = readRoutes(reader, texts);
  const count = reader.below(MAX_CALLS);
  if (count === 0) throw fault('at least one call', 'none');
  const column = <T>(read: () => T): T[] => Array.from({ length: count }, read);
  const tasks = column(text);
  const modules = column(() => {
    const index = reader.below(texts.length + 1);
    return index === 0 ? undefined : texts[index - 1]!;
  });
  const route = column(() => routes[reader.below(routes.length)]!);
  const confidence = column(() => doubt(reader.scaled()));
  const amended = column(() => reader.u8() === 1);
  const flop = column(() => reader.varint());
  const ms = column(() => reader.varint() / 100);
  const tried = column(() => reader.below(MAX_CALLS));
  const total = tried.reduce((s, n) => s + n, 0);
  if (total > MAX_CALLS) throw fault(`at most ${MAX_CALLS} attempts`, `${total}`);
  const each = <T>(read: () => T): T[] => Array.from({ length: total }, read);
  const triedModule = each(text);
  const outcome = each(() => OUTCOMES[reader.u8()] ?? 'failed');
  const sure = each(() => doubt(reader.scaled()));
  const triedFlop = each(() => reader.varint());
  const calls: { -readonly [K in keyof ReceiptCall]: ReceiptCall[K] }[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const attempts = Array.from({ length: tried[i]! }, () => {
      const a = at++;
      const own = outcome[a] === 'answered' ? confidence[i] : sure[a];
      return { module: triedModule[a]!, outcome: outcome[a]!, confidence: own, flop: triedFlop[a]! };
    });
    const usage = { flop: flop[i]!, ms: ms[i]! };
    calls.push({
      task: tasks[i]!,
      module: modules[i],
      confidence: confidence[i],
      route: route[i]!,
      attempts,
      amended: amended[i]!,
      usage,
      inputs: [],
      lost: [],
    });
  }
  for (let i = 0; i < count; i++) {
    let previous = i;
    const child = (): ReceiptCall => {
      const code = reader.varint();
      previous += code % 2 === 0 ? code / 2 : -(code - 1) / 2;
      // Calls stand after their callers, so damaged bytes cannot make a cycle.
      if (previous <= i || previous >= count) throw fault(`a call after ${i} and below ${count}`, `${previous}`);
      return calls[previous]!;
    };
    calls[i]!.inputs = list(MAX_CALLS, () => ({ call: child(), weight: reader.varint() / 1e6 }));
    previous = i;
    calls[i]!.lost = list(MAX_CALLS, child);
  }
  const payload = reader.blob();
  if (!reader.done) throw fault('the end of the receipt', 'more bytes');
  return { call: calls[0]!, payload };
}

/** What all calls of a receipt cost together, shared ones once. */
export function receiptUsage(root: ReceiptCall): Usage {
  const seen = new Set<ReceiptCall>();
  let flop = 0;
  let ms = 0;
  const visit = (call: ReceiptCall): void => {
    if (seen.has(call)) return;
    seen.add(call);
    flop += call.usage.flop;
    ms += call.usage.ms;
    for (const input of call.inputs) visit(input.call);
    for (const lost of call.lost) visit(lost);
  };
  visit(root);
  return { flop, ms };
}

/** The receipt of a stored event; null when it has none that can be read. */
export function receiptOf(event: { readonly meta: unknown }): Receipt | null {
  if (!(event.meta instanceof Uint8Array)) return null;
  try {
    return decodeReceipt(event.meta);
  } catch (error) {
    if (CairnError.isInstance(error)) return null;
    throw error;
  }
}

/** Every call of a receipt once, callers first, in trace order. */
export function forEachCall(root: ReceiptCall, visit: (call: ReceiptCall) => void): void {
  const seen = new Set<ReceiptCall>();
  const walk = (call: ReceiptCall): void => {
    if (seen.has(call)) return;
    seen.add(call);
    visit(call);
    for (const input of call.inputs) walk(input.call);
    for (const lost of call.lost) walk(lost);
  };
  walk(root);
}

/** 1 - x: what is near 1 is kept as finely as what is near 0. */
function doubt(value: number | undefined): number | undefined {
  return value === undefined ? undefined : 1 - value;
}

class Table<T> {
  readonly items: T[] = [];
  readonly #index = new Map<string, number>();
  readonly #key: (item: T) => string;

  constructor(key: (item: T) => string) {
    this.#key = key;
  }

  index(item: T): number {
    const key = this.#key(item);
    const known = this.#index.get(key);
    if (known !== undefined) return known;
    this.#index.set(key, this.items.length);
    return this.items.push(item) - 1;
  }
}

/** Every node once, callers before what they called, siblings in their order. */
function topological(root: TraceNode): TraceNode[] {
  const seen = new Set<TraceNode>();
  const order: TraceNode[] = [];
  const visit = (node: TraceNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    const lost = node.attempts.flatMap((a) => a.calls ?? []);
    for (const { node: child } of [...node.inputs, ...lost].reverse()) visit(child);
    order.push(node);
  };
  visit(root);
  return order.reverse();
}

function writeRoutes(out: ByteWriter, routes: readonly RouteNote[], texts: Table<string>): void {
  out.varint(routes.length);
  for (const r of routes) {
    out.u8(BY.indexOf(r.by)).varint(texts.index(r.chosen)).varint(r.path.length);
    for (const id of r.path) out.varint(texts.index(id));
    out.varint(r.cluster === undefined ? 0 : r.cluster + 1).scaled(r.expectedError);
    out.scaled(r.interval?.[0]).scaled(r.interval?.[1]);
    out.half(r.expectedCost);
    out.varint(r.runnerUp ? 1 + texts.index(r.runnerUp.module) : 0);
    if (r.runnerUp) out.scaled(r.runnerUp.expectedError).half(r.runnerUp.expectedCost);
  }
}

function readRoutes(reader: ByteReader, texts: readonly string[]): RouteNote[] {
  const text = (): string => texts[reader.below(texts.length)]!;
  return Array.from({ length: reader.below(MAX_CALLS) }, () => {
    const by = BY[reader.u8()] ?? 'only';
    const chosen = text();
    const path = Array.from({ length: reader.below(MAX_CALLS) }, text);
    const cluster = reader.varint();
    const expectedError = reader.scaled();
    const low = reader.scaled();
    const high = reader.scaled();
    const expectedCost = reader.half();
    const runner = reader.below(texts.length + 1);
    const runnerUp =
      runner === 0
        ? undefined
        : { module: texts[runner - 1]!, expectedError: reader.scaled() ?? 0, expectedCost: reader.half() ?? 0 };
    return {
      by,
      chosen,
      path,
      ...(cluster === 0 ? {} : { cluster: cluster - 1 }),
      ...(expectedError === undefined ? {} : { expectedError }),
      ...(low === undefined || high === undefined ? {} : { interval: [low, high] as const }),
      ...(expectedCost === undefined ? {} : { expectedCost }),
      ...(runnerUp ? { runnerUp } : {}),
    };
  });
}

function fault(expected: string, got: string): CairnError {
  return new CairnError('bad_receipt', `Expected ${expected}, got ${got}.`, {
    hint: 'The stored receipt is damaged; the sketch can still be read.',
  });
}
