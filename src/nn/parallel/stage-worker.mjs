// A worker thread of lockstep.ts: waits until a round begins, runs its stage, says that it is done. It looks for the next round for
// a moment before it sleeps, since waking takes as long as a layer of a small model.
import { parentPort, workerData } from 'node:worker_threads';
import { DONE, FAILED, LENGTH, PENDING, POSITION, PROGRAM, START } from './control.mjs';
import { createStage } from './stage.mjs';

const { index, spec, memory, errors } = workerData;
const control = new Int32Array(workerData.control);
const module = await import('onnxruntime-node');
const stage = await createStage(module.default ?? module, spec, memory);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a thread, not a window
parentPort.postMessage('ready');

const SPIN_MS = 0.2;

for (let seen = 0; ;) {
  for (
    const end = performance.now() + SPIN_MS;
    Atomics.load(control, START + index) === seen && performance.now() < end;
  );
  Atomics.wait(control, START + index, seen);
  const round = Atomics.load(control, START + index);
  if (round === seen) continue;
  seen = round;
  if (round < 0) break;
  try {
    await stage.run(Atomics.load(control, PROGRAM), Atomics.load(control, POSITION), Atomics.load(control, LENGTH));
  } catch (error) {
    const text = new TextEncoder().encode(error instanceof Error ? error.message : String(error));
    const room = new Uint8Array(errors);
    room.fill(0);
    room.set(text.subarray(0, room.length));
    Atomics.store(control, FAILED, 1 + index);
  }
  if (Atomics.sub(control, PENDING, 1) === 1) {
    Atomics.store(control, DONE, round);
    Atomics.notify(control, DONE);
  }
}
await stage.dispose();
parentPort.close();
