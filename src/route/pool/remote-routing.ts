// Routing on an embeddings endpoint's vectors within a deadline: late, failed or left alone, the local router decides, and the
// decision says so. Both routers have their own clusters and estimates; their vectors never mix.
import { CairnError } from '../../errors.ts';
import type { PromptEncoder } from '../features/prompt-encoder.ts';
import { roughTokens } from '../tables/prompt-table.ts';
import type { PromptDecision, PromptRouter, RouteLimits } from './prompt-router.ts';

/** A decision with the features it was made on. */
export interface RemoteDecision extends PromptDecision {
  readonly source: 'remote' | 'lsa-fallback';
  /** Why the endpoint did not decide. */
  readonly because?: string;
}

/** A router on remote vectors with a local one behind it. */
export class RemoteRouting {
  readonly #encoder: PromptEncoder;
  readonly #remote: PromptRouter;
  readonly #local: PromptRouter;

  /**
   * @param encoder the one `remote` was fitted with
   * @throws CairnError `encoder_changed` when it is another
   */
  constructor(encoder: PromptEncoder, remote: PromptRouter, local: PromptRouter) {
    const { id, dim } = remote.parts.encoder;
    if (id !== encoder.id || dim !== encoder.dim) {
      throw new CairnError('encoder_changed', `Expected the encoder ${id}, got ${encoder.id}.`, {
        hint: 'Fit the router again with the new encoder, or name the one it was fitted with.',
      });
    }
    this.#encoder = encoder;
    this.#remote = remote;
    this.#local = local;
  }

  async route(text: string, limits: RouteLimits = {}, signal?: AbortSignal): Promise<RemoteDecision> {
    try {
      const [z] = await this.#encoder.embed([text], signal);
      const tokens = limits.inTokens ?? roughTokens(text);
      return { ...this.#remote.routeFeatures(z!, tokens, limits), source: 'remote' };
    } catch (error) {
      signal?.throwIfAborted();
      if (!CairnError.isInstance(error) || error.code !== 'encoder_failed') throw error;
      return { ...this.#local.route(text, limits), source: 'lsa-fallback', because: error.message };
    }
  }
}
