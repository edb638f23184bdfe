import { describe, expect, it } from 'vitest';
import { RemoteEncoder, toPromptEncoder, type FetchEmbeddings } from '../features/prompt-encoder.ts';
import { generatePool } from '../generated-pool.ts';
import { fromFiles, toFiles } from './card.ts';
import { fitRouter, fitRouterWith } from './fit.ts';
import { RemoteRouting } from './remote-routing.ts';

const pool = generatePool({ seed: 5, prompts: 240, models: 3 });
const options = { seed: 5, k: 6, bags: 1, features: { bits: 11, dim: 8 } } as const;
const local = fitRouter(pool.table, options);
let down = false;
const fetch: FetchEmbeddings = async (texts) => {
  if (down) throw new Error('503');
  return toPromptEncoder(local.parts.encoder).embed(texts);
};
const encoder = new RemoteEncoder({
  id: 'played',
  dim: local.parts.encoder.dim,
  fetch,
  timeoutMs: 5000,
  cache: 0,
  failures: 100,
});

describe('routing on remote vectors', () => {
  it('decides on the endpoint’s vectors, and locally when it fails, and says which', async () => {
    const remote = await fitRouterWith(encoder, pool.table, options);
    const routing = new RemoteRouting(encoder, remote, local);
    const text = pool.table.prompts[0]!.text;
    const first = await routing.route(text);
    expect(first.source).toBe('remote');
    expect(first.ranking).toHaveLength(3);
    down = true;
    const second = await routing.route(text);
    expect(second).toMatchObject({ source: 'lsa-fallback', arm: local.route(text).arm });
    expect(second.because).toContain('the endpoint failed');
    down = false;
    expect(() => remote.route(text)).toThrow('Expected vectors of remote/played/');
  });

  it('is kept on disk and refused with another encoder', async () => {
    const remote = await fitRouterWith(encoder, pool.table, options);
    const { json, binary } = toFiles(remote);
    const back = fromFiles(json, binary);
    const [z] = await encoder.embed([pool.table.prompts[1]!.text]);
    expect(back.routeFeatures(z!, 10)).toEqual(remote.routeFeatures(z!, 10));
    const other = new RemoteEncoder({ id: 'other', dim: encoder.dim, fetch });
    expect(() => new RemoteRouting(other, back, local)).toThrow('Expected the encoder remote/played/');
  });
});
