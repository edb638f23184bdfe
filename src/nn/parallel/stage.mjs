// A stage: compiled programs that read rows of a shared block of memory, write rows of it, and carry state from call to
// call. Plain JavaScript, because a worker thread loads it as it stands; types are in stage.d.mts.

const ARRAYS = { f32: Float32Array, i32: Int32Array };
const TYPES = { f32: 'float32', i32: 'int32' };

/** Compiles the programs of a stage with one thread inside an operator. */
export async function createStage(ort, spec, memory) {
  const sessions = [];
  for (const program of spec.programs) {
    sessions.push(
      await ort.InferenceSession.create(program.bytes, {
        executionProviders: ['cpu'],
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        logSeverityLevel: 4,
      }),
    );
  }
  const carried = new Map();
  return {
    /** Runs program `which` for `length` positions from `position` on; at position 0 nothing is carried over. */
    async run(which, position, length) {
      const program = spec.programs[which];
      if (position === 0) carried.clear();
      const inputs = {};
      for (const feed of program.feeds) inputs[feed.name] = readRows(ort, feed, memory, position, length);
      for (const c of program.carries) {
        if (c.input !== undefined) inputs[c.input] = carried.get(c.output) ?? empty(ort, c);
      }
      const out = await sessions[which].run(inputs);
      for (const f of program.fetches) {
        const at = f.offset + (f.perPosition ? 4 * f.width * (position + f.shift) : 0);
        new Float32Array(memory, at, out[f.name].data.length).set(out[f.name].data);
      }
      for (const c of program.carries) {
        if (!(c.fromSecond && position === 0 && length === 1)) carried.set(c.output, keepLast(ort, out[c.output], c));
      }
    },
    /** Bytes of the state that is carried. */
    bytes: () => [...carried.values()].reduce((n, t) => n + t.data.byteLength, 0),
    async dispose() {
      carried.clear();
      for (const session of sessions) await session.release();
    },
  };
}

/** Rows of the block as a tensor of its own: the runtime takes no shared memory. */
function readRows(ort, feed, memory, position, length) {
  const rows = length - feed.fewer;
  const at = feed.offset + 4 * feed.width * (position + feed.shift);
  const data = new ARRAYS[feed.type](memory, at, rows * feed.width).slice();
  return new ort.Tensor(
    TYPES[feed.type],
    data,
    feed.shape.map((n) => (n < 0 ? rows : n)),
  );
}

function empty(ort, carry) {
  return new ort.Tensor('float32', new Float32Array(0), carry.empty);
}

/** The last `limit` rows along the axis before the last one, or everything. */
function keepLast(ort, t, { limit }) {
  const rows = t.dims.at(-2);
  if (limit === undefined || rows <= limit) return t;
  const width = t.dims.at(-1);
  const groups = t.data.length / (rows * width);
  const data = new Float32Array(groups * limit * width);
  for (let g = 0; g < groups; g++) {
    data.set(t.data.subarray((g * rows + rows - limit) * width, (g + 1) * rows * width), g * limit * width);
  }
  return new ort.Tensor('float32', data, [...t.dims.slice(0, -2), limit, width]);
}
