// Two forecasters, of which the better one changes; then where it changed, and whether the series was predictable at all.
import assert from 'node:assert/strict';
import { fairBits, predictability, RegretMeter, segment, Tournament } from 'cairn/online';
import { Rng } from 'cairn/tensor';

export async function main(): Promise<void> {
  const rng = new Rng(7);
  const memory = 50;
  const combiner = new Tournament(3, { memory }); // "up", "down" and "as last time"
  const meter = new RegretMeter(3, { memory });
  const bits = Array.from({ length: 600 }, (_, t) => (rng.bernoulli(0.85) === t < 300 ? 1 : -1)); // up, then down
  const gains = bits.map((b, t) => [b, -b, b * (bits[t - 1] ?? 0)]);
  for (const g of gains) {
    meter.learnOne(combiner.predictOne(), g); // weights first, outcome then
    combiner.learnOne(g);
    for (const regret of meter.discounted()) assert(regret <= 0.93 * Math.sqrt(memory) * 2); // two nodes deep, always
  }
  assert(meter.gain() > 300); // up and down win about 0 each, "as last time" some 290; 420 for who knew the change

  const { changePoints } = segment([0, 1].map((k) => gains.map((g) => g[k]!)));
  assert(changePoints.length === 1 && Math.abs(changePoints[0]! - 300) < 15);

  assert(predictability(bits, { rng }).predictable);
  assert(!predictability(fairBits(rng, 600), { rng }).predictable);
}
