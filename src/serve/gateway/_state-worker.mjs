// The thread that keeps a gateway's state in a file: writing, and copying the log into the file, holds up no request there.
import { parentPort, workerData } from 'node:worker_threads';
import { createSqliteState } from './_sqlite-state.mjs';

const state = createSqliteState(workerData.path);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a thread, not a window
const tell = (message) => parentPort.postMessage(message);
parentPort.on('message', ({ number, call, args }) => {
  try {
    tell({ number, value: state[call](...args) });
  } catch (error) {
    tell({ number, fault: error instanceof Error ? error.message : String(error) });
  }
  if (call === 'close') parentPort.close();
});
