// A stage: compiled programs that read rows of a shared block of memory, write rows of it, and carry state from call to
// call. Plain JavaScript, because a worker thread loads it as it stands; types are in stage.d.mts.

const ARRAYS = { f32: Float32Array, i32: Int32Array };
const TYPES = { f32: 'float32', i32: 'int32' };

/** Compiles the programs of a stage with one thread inside an operator. */
export async function createStage(ort, spec, memory) {
  const sessions = [];
  for (const program of spec.programs) {
    sessions.push(
      program &&
        (await ort.InferenceSession.create(program.bytes, {
          executionProviders: ['cpu'],
          intraOpNumThreads: 1,
          interOpNumThreads: 1,
          graphOptimizationLevel: 'all',
          logSeverityLevel: 4,
          extra: {
            session: { intra_op: { allow_spinning: '0' } },
            ...(spec.optimization ? { optimization: spec.optimization } : {}),
          },
        })),
    );
  }
  const carried = new Map();
  const spare = new Map(); // memory of what was carried before, written again by turns
  const give = (name, { buffer }) => {
    if ((spare.get(name)?.byteLength ?? 0) < buffer.byteLength) spare.set(name, buffer);
  };
  return {
    /** Runs program `which` for `length` positions from `position` on; at position 0 nothing is carried over. */
    async run(which, position, length) {
      const program = spec.programs[which];
      if (position === 0 && program.carries.length > 0) {
        for (const [name, t] of carried) give(name, t.data);
        carried.clear();
      }
      const inputs = {};
      for (const feed of program.feeds) inputs[feed.name] = readRows(ort, feed, memory, position, length);
      for (const c of program.carries) {
        if (c.input !== undefined) inputs[c.input] = carried.get(c.output) ?? empty(ort, c);
      }
      const fetches = {};
      for (const f of program.fetches) fetches[f.name] = null;
      for (const c of program.carries) {
        const grows = c.input !== undefined && c.axis >= 0 && length === 1;
        fetches[c.output] = grows ? oneMore(ort, c, inputs[c.input], spare) : null;
      }
      const out = await sessions[which].run(inputs, fetches);
      for (const f of program.fetches) {
        const at = f.offset + (f.perPosition ? 4 * f.width * (position + f.shift) : 0);
        new Float32Array(memory, at, out[f.name].data.length).set(out[f.name].data);
      }
      for (const c of program.carries) {
        const now = fetches[c.output] ?? out[c.output]; // what was given; the runtime's own tensor is a copy of it
        const kept = c.fromSecond && position === 0 && length === 1 ? undefined : keepLast(ort, now, c);
        const before = carried.get(c.output);
        if (kept !== now) give(c.output, now.data);
        if (kept && before) give(c.output, before.data);
        if (kept) carried.set(c.output, kept);
      }
    },
    /** Bytes of the state that is carried. */
    bytes: () => [...carried.values()].reduce((n, t) => n + t.data.byteLength, 0),
    async dispose() {
      carried.clear();
      spare.clear();
      for (const session of sessions) await session?.release();
    },
  };
}

/** Rows of the block as a tensor of its own: the runtime takes no shared memory. */
function readRows(ort, feed, memory, position, length) {
  const rows = feed.rows === 'last' ? 1 : feed.rows === 'earlier' ? length - 1 : length;
  const first = position + feed.shift + (feed.rows === 'last' ? length - 1 : 0);
  const at = feed.offset + 4 * feed.width * first;
  const data = new ARRAYS[feed.type](memory, at, rows * feed.width).slice();
  return new ort.Tensor(
    TYPES[feed.type],
    data,
    feed.shape.map((n) => (n < 0 ? rows : n)),
  );
}

/** Room for what is carried and one position more, which the runtime writes into. */
function oneMore(ort, { output, axis }, past, spare) {
  const dims = past.dims.map((d, i) => (i === axis ? d + 1 : d));
  const size = dims.reduce((n, d) => n * d, 1);
  let buffer = spare.get(output);
  spare.delete(output);
  if (!buffer || buffer.byteLength < 4 * size) buffer = new ArrayBuffer(8 * size); // so that it grows a few times only
  return new ort.Tensor('float32', new Float32Array(buffer, 0, size), dims);
}

/** Zeros of the given shape; nothing where a length is 0. */
function empty(ort, { empty: shape }) {
  const size = shape.reduce((n, d) => n * d, 1);
  return new ort.Tensor('float32', new Float32Array(size), shape);
}

/** The last `limit` entries along an axis, or everything. */
function keepLast(ort, t, { limit, axis }) {
  if (limit === undefined || t.dims[axis] <= limit) return t;
  const inner = t.dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const outer = t.dims.slice(0, axis).reduce((n, d) => n * d, 1);
  const data = new Float32Array(outer * limit * inner);
  for (let o = 0; o < outer; o++) {
    const end = (o + 1) * t.dims[axis] * inner;
    data.set(t.data.subarray(end - limit * inner, end), o * limit * inner);
  }
  return new ort.Tensor(
    'float32',
    data,
    t.dims.map((d, i) => (i === axis ? limit : d)),
  );
}
