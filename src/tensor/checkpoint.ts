// Recompute instead of store: the gradient of a checkpointed block builds its forward pass a second time behind a gate
// that hangs on the incoming gradient, so that neither the builder nor a runtime merges it with the first copy.
import type { Builder } from './builder.ts';
import { vjp } from './grad.ts';
import type { Tensor } from './tensor.ts';
import { customGradient } from './ops/tape.ts';

/**
 * Wraps a block so that its inner tensors need not be kept for the backward pass; costs one more forward pass.
 * Parameters the block reads get their gradients as usual. The block must not tap or declare inputs or outputs.
 *
 * @example
 * x = checkpoint((x) => block(b, x))(x);
 */
export function checkpoint(f: (...inputs: Tensor[]) => Tensor): (...inputs: [Tensor, ...Tensor[]]) => Tensor {
  return (...inputs) => {
    const { builder } = inputs[0];
    const start = builder.nodes().length;
    const y = f(...inputs);
    const captured = capturedBy(builder, y, inputs, start);
    return customGradient(
      [...inputs, ...captured],
      () => y,
      (_y, g) => {
        const gated = inputs.map((x) => behind(x, g));
        return vjp([f(...gated)], [g], [...gated, ...captured]);
      },
    );
  };
}

/** `x`, but only once `g` is there. The condition is false for every number (and for NaN). */
function behind(x: Tensor, g: Tensor): Tensor {
  if (g.shape.includes(0)) return x;
  const first = g.reshape([-1]).sliceAxis(0, 0, 1).reshape([]);
  return first.lt(first).where(x.builder.constant(0, [], x.dtype), x);
}

/** Parameters, and tensors older than the block, that the block reads besides its inputs. */
function capturedBy(builder: Builder, y: Tensor, inputs: readonly Tensor[], start: number): Tensor[] {
  const nodes = builder.nodes();
  const own = new Set(inputs.map((x) => `${x.port.node}.${x.port.port}`));
  const seen = new Set<string>();
  const captured: Tensor[] = [];
  const todo = [y.port];
  for (let port = todo.pop(); port; port = todo.pop()) {
    const key = `${port.node}.${port.port}`;
    if (seen.has(key) || own.has(key)) continue;
    seen.add(key);
    const node = nodes[port.node]!;
    if (node.op === 'const') continue;
    if (node.op === 'param' || node.id < start) captured.push(builder.at(port));
    else todo.push(...node.inputs);
  }
  return captured;
}
