// The calls of an event as a stream of symbols: every module that was tried, in order, with how that ended.
import { forEachCall, receiptOf } from '../receipt.ts';
import type { StreamSource } from './patterns.ts';

const MARKS = {
  answered: '',
  unsure: '?',
  abstained: ' -',
  unproved: ' -',
  failed: ' !',
  'over-budget': ' $',
} as const;

/** One stream for each event with a readable receipt. */
export function callStreams(): StreamSource {
  return {
    name: 'calls',
    about: 'calls in the order they were made',
    streamsOf: (event) => {
      const receipt = receiptOf(event);
      if (!receipt) return [];
      const stream: string[] = [];
      forEachCall(receipt.call, (call) => {
        for (const { module, outcome } of call.attempts) stream.push(`${module}${MARKS[outcome]}`);
      });
      return [stream];
    },
  };
}
