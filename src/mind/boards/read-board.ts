// Reads a board: asks for all 81 cells at once, so that each reader runs once per board at most.
import type { Module } from '../module.ts';
import { CELLS, cellsOf, CLASSES, type BoardPicture, type BoardReading, type DigitReading } from './cells.ts';

export function boardReader(): Module<BoardPicture, BoardReading> {
  return {
    id: 'read-board/cells',
    task: 'read-board',
    cost: { unit: 'flop', amount: 0 },
    async run(picture, call) {
      const replies = await call.askAll<DigitReading>('read-digit', cellsOf(picture));
      const digits = new Uint8Array(CELLS);
      const probabilities = new Float32Array(CELLS * CLASSES);
      let inked = 0;
      for (const [cell, reply] of replies.entries()) {
        if (!reply.output) {
          return {
            output: undefined,
            attributes: new Float32Array(1),
            usage: { flop: 0 },
            note: `cell ${cell + 1} could not be read: ${reply.reason}`,
          };
        }
        digits[cell] = reply.output.digit;
        if (!reply.output.blank) inked++;
        probabilities.set(reply.output.probabilities, cell * CLASSES);
      }
      return { output: { digits, probabilities }, attributes: Float32Array.of(inked / CELLS), usage: { flop: 0 } };
    },
  };
}
