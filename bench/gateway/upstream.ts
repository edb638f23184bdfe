// The upstream of the benchmark: a mock with a fixed delay in a process of its own. Prints its address as one line of JSON.
import { createMockUpstream } from 'cairn/providers';

const [delay, pieces] = process.argv.slice(2).map(Number) as [number, number];
const models = Object.fromEntries(
  Array.from({ length: 30 }, (_, i) => [`model-${i}`, { delayMs: delay, pieceMs: 0, words: pieces }]),
);
const upstream = await createMockUpstream({ models });
process.stdout.write(`${JSON.stringify({ url: upstream.url })}\n`);
process.stdin.resume();
process.stdin.once('end', () => process.exit(0));
