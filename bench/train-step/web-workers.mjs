// Web Workers for libraries that start them from blob: URLs, on top of worker_threads. jax-js needs it to use more than
// one thread in Node. Load with `node --import ./web-workers.mjs`.
import { resolveObjectURL } from 'node:buffer';
import { availableParallelism } from 'node:os';
import { Worker as NodeWorker } from 'node:worker_threads';

const threads = Number(process.env.BENCH_THREADS ?? availableParallelism());
if (!globalThis.navigator?.hardwareConcurrency || globalThis.navigator.hardwareConcurrency !== threads) {
  Object.defineProperty(globalThis, 'navigator', {
    value: { hardwareConcurrency: threads, userAgent: 'node' },
    configurable: true,
  });
}

/** What a browser worker finds in its global scope. */
const scope = `
  const { parentPort } = require('node:worker_threads');
  globalThis.self = globalThis;
  globalThis.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
  parentPort.on('message', (data) => globalThis.onmessage?.({ data }));
`;

globalThis.Worker = class extends EventTarget {
  onmessage = null;
  onerror = null;
  #waiting = [];
  #worker;

  constructor(url) {
    super();
    void this.#start(String(url));
  }

  async #start(url) {
    const source = await resolveObjectURL(url).text();
    const worker = new NodeWorker(scope + source, { eval: true });
    worker.unref();
    worker.on('message', (data) => this.onmessage?.({ data }));
    worker.on('error', (error) => this.onerror?.({ message: error.message }));
    this.#worker = worker;
    for (const args of this.#waiting.splice(0)) worker.postMessage(...args);
  }

  postMessage(...args) {
    if (this.#worker) this.#worker.postMessage(...args);
    else this.#waiting.push(args);
  }

  terminate() {
    void this.#worker?.terminate();
  }
};
