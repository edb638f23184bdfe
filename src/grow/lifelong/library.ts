// The frozen modules: a growing list of models over features and earlier modules. Nothing in it changes once it is there,
// and a module can only read what was there before it, so the graph has no cycles. Evaluates with a memo per example.
import { CairnError } from '../../errors.ts';
import type { ErrorCertificate } from './certificate.ts';
import { evaluate, hashModel, inputsOf, type Model, type Reference, type TargetKind } from './model.ts';

/** A frozen module. */
export interface FrozenModule {
  /** How other modules refer to it. */
  readonly reference: Reference;
  readonly name: string;
  readonly kind: TargetKind;
  readonly model: Model | { readonly kind: 'adopted'; readonly inputs: readonly Reference[] };
  /** 1 for modules over features alone. */
  readonly depth: number;
  /** SHA-256 of the model as it was frozen. */
  readonly hash: string;
  readonly certificate: ErrorCertificate | undefined;
  /** Samples that were seen when it froze. */
  readonly samples: number;
  /** Left out of the candidates of new tasks. It still answers and still serves the modules that read it. */
  readonly retired: boolean;
}

/** A function of an example that comes from outside: a network, a table, another person's model. */
export type AdoptedFunction = (x: ArrayLike<number>) => number;

interface Held {
  module: FrozenModule;
  readonly adopted: AdoptedFunction | undefined;
  lastRead: number;
}

/** Frozen modules over `features` inputs. */
export class Library {
  readonly features: readonly string[];
  readonly #held: Held[] = [];

  constructor(features: readonly string[]) {
    this.features = features;
  }

  get size(): number {
    return this.#held.length;
  }

  modules(): FrozenModule[] {
    return this.#held.map((h) => h.module);
  }

  /** @throws CairnError `unknown_module` */
  module(reference: Reference): FrozenModule {
    return this.#at(reference).module;
  }

  isModule(reference: Reference): boolean {
    return reference >= this.features.length;
  }

  nameOf(reference: Reference): string {
    return this.isModule(reference) ? this.module(reference).name : this.features[reference]!;
  }

  depthOf(reference: Reference): number {
    return this.isModule(reference) ? this.module(reference).depth : 0;
  }

  /** Adds a module for good. */
  freeze(name: string, kind: TargetKind, model: Model, samples: number, certificate: ErrorCertificate): FrozenModule {
    const own = this.features.length + this.#held.length;
    const late = inputsOf(model).find((input) => input >= own || input < 0);
    if (late !== undefined) {
      throw new CairnError('bad_reference', `Expected inputs below ${own}, got ${late}: a module may not read itself.`);
    }
    const depth = 1 + Math.max(0, ...inputsOf(model).map((input) => this.depthOf(input)));
    return this.#push({
      reference: own,
      name,
      kind,
      model: deepFreeze(model),
      depth,
      hash: hashModel(model),
      certificate,
      samples,
      retired: false,
    });
  }

  /** Adds a function from outside as a module; it must always answer the same for the same example. */
  adopt(name: string, kind: TargetKind, call: AdoptedFunction, hash: string): FrozenModule {
    const reference = this.features.length + this.#held.length;
    const model = { kind: 'adopted', inputs: [] } as const;
    return this.#push(
      { reference, name, kind, model, depth: 1, hash, certificate: undefined, samples: 0, retired: false },
      call,
    );
  }

  #push(module: FrozenModule, adopted?: AdoptedFunction): FrozenModule {
    this.#held.push({ module, adopted, lastRead: 0 });
    return module;
  }

  /** The output of a reference on an example; `memo` holds values of this example found so far. */
  evaluate(reference: Reference, x: ArrayLike<number>, memo: Map<Reference, number>): number {
    if (!this.isModule(reference)) return x[reference]!;
    const known = memo.get(reference);
    if (known !== undefined) return known;
    const { module, adopted } = this.#at(reference);
    const { model } = module;
    const value = model.kind === 'adopted' ? adopted!(x) : evaluate(model, (input) => this.evaluate(input, x, memo));
    memo.set(reference, value);
    return value;
  }

  /** Every module below a reference, itself last, in the order they are evaluated. */
  below(reference: Reference): FrozenModule[] {
    const seen = new Set<Reference>();
    const visit = (r: Reference): void => {
      if (!this.isModule(r) || seen.has(r)) return;
      const { model } = this.module(r);
      for (const input of model.kind === 'adopted' ? model.inputs : inputsOf(model)) visit(input);
      seen.add(r);
    };
    visit(reference);
    return [...seen].map((r) => this.module(r));
  }

  /** Notes that a module and those below it were used at a time. */
  touch(reference: Reference, time: number): void {
    for (const { reference: r } of this.below(reference)) this.#at(r).lastRead = time;
  }

  /** Retires what was not used since `before`, and brings back what was. Returns how many are retired. */
  retireUnreadSince(before: number): number {
    let retired = 0;
    for (const held of this.#held) {
      const retire = held.lastRead < before;
      if (retire !== held.module.retired) held.module = { ...held.module, retired: retire };
      if (retire) retired++;
    }
    return retired;
  }

  /** Throws unless every module still is what was frozen, reads only earlier ones, and has the depth it says. */
  verify(): void {
    for (const { module } of this.#held) {
      if (module.model.kind === 'adopted') continue;
      const inputs = inputsOf(module.model);
      const depth = 1 + Math.max(0, ...inputs.map((input) => this.depthOf(input)));
      if (
        hashModel(module.model) !== module.hash ||
        inputs.some((i) => i >= module.reference) ||
        depth !== module.depth
      ) {
        throw new CairnError(
          'module_changed',
          `Expected the frozen module "${module.name}" unchanged, got other content.`,
          {
            hint: 'Start again from the stored modules: a frozen one must never be written.',
          },
        );
      }
    }
  }

  #at(reference: Reference): Held {
    const held = this.#held[reference - this.features.length];
    if (held === undefined) {
      throw new CairnError('unknown_module', `Expected a frozen module, got reference ${reference}.`);
    }
    return held;
  }
}

function deepFreeze(model: Model): Model {
  for (const value of Object.values(model)) if (Array.isArray(value)) Object.freeze(value);
  return Object.freeze(model);
}
