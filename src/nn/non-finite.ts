// Where numbers stop being finite: looks at weights, then at every hook point of the forward pass in order, then at the
// gradients, and names the first tensor that is not. For error messages; not on the path of a step.
import {
  type Builder,
  defineProgram,
  type Executor,
  type Feed,
  grad,
  type ModelState,
  type Tensor,
} from '../tensor/index.ts';

/**
 * The name of the first tensor that is not finite; undefined when all are.
 * @param loss builds the model, as for `defineTrainStep`
 * @param feeds of the batch that went wrong; others than the model's inputs are ignored
 */
export async function firstNonFinite(
  executor: Executor,
  state: ModelState,
  loss: (b: Builder) => Tensor,
  feeds: Readonly<Record<string, Feed>>,
): Promise<string | undefined> {
  const def = defineProgram(
    (b) => {
      const value = loss(b);
      b.output('loss', value);
      const wrt = b.trainable();
      const gradients = grad(
        value,
        wrt.map((p) => p.tensor),
      );
      gradients.forEach((g, i) => b.output(`gradient of ${wrt[i]!.spec.name}`, g));
    },
    { capture: /./ },
  );
  const bad = def.graph.params.find(({ name }) => !finite(state.get(name).data));
  if (bad) return bad.name;
  await using program = await executor.compile(def, { state });
  const wanted = new Set(def.graph.inputs.map((x) => x.name));
  const outputs = await program.run(Object.fromEntries(Object.entries(feeds).filter(([name]) => wanted.has(name))));
  return def.graph.outputs.map((x) => x.name).find((name) => !finite(outputs[name]!.data));
}

function finite(data: ArrayLike<number>): boolean {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return false;
  return true;
}
