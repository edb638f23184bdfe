// The composition root of the command line: chooses the command, binds it to the process, maps its outcome to an exit code.
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CairnError } from '../errors.ts';
import { type Args, commandHelp, nearest, parseCommand, type Command } from './command.ts';
import { createIo, errorText } from './io.ts';

const loaders: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./commands/serve.ts')).serve,
  ask: async () => (await import('./commands/ask.ts')).ask,
  recall: async () => (await import('./commands/recall.ts')).recall,
  remember: async () => (await import('./commands/remember.ts')).remember,
  explain: async () => (await import('./commands/explain.ts')).explain,
  forget: async () => (await import('./commands/forget.ts')).forget,
  grow: async () => (await import('./commands/grow.ts')).grow,
  route: async () => (await import('./commands/route.ts')).route,
  train: async () => (await import('./commands/train.ts')).train,
  transcribe: async () => (await import('./commands/transcribe.ts')).transcribe,
  generate: async () => (await import('./commands/generate.ts')).generate,
  export: async () => (await import('./commands/export.ts')).exportModel,
  pareto: async () => (await import('./commands/pareto.ts')).pareto,
  keys: async () => (await import('./commands/keys.ts')).keys,
  cache: async () => (await import('./commands/cache.ts')).cache,
  lab: async () => (await import('./commands/lab.ts')).lab,
  bench: async () => (await import('./commands/bench.ts')).bench,
  store: async () => (await import('./commands/store.ts')).store,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
};

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(loaders).map((load) => load()));
  return [
    'cairn: a learning engine made of modules',
    '',
    ...commands.map((c) => `  cairn ${c.name.padEnd(9)} ${c.about.split('. ')[0]!.replace(/\.$/, '')}`),
    '',
    'Run `cairn COMMAND --help` for its options. Without a command: `cairn serve`.',
  ].join('\n');
}

async function main(argv: readonly string[]): Promise<number> {
  const debug = argv.includes('--debug');
  const json = argv.includes('--json');
  const controller = new AbortController();
  let interrupts = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    interrupts++;
    if (interrupts > 1) process.exit(signal === 'SIGINT' ? 130 : 143);
    process.stderr.write('\nStopping; press Ctrl-C again to stop at once.\n');
    controller.abort(new CairnError('interrupted', `Interrupted by ${signal}.`));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);

  const first = argv[0];
  if (first === '--help' || first === '-h' || first === 'help') {
    process.stdout.write(`${await overview()}\n`);
    return 0;
  }
  const named = first !== undefined && !first.startsWith('-');
  const name = named ? first : 'serve';
  const rest = named ? argv.slice(1) : argv;
  try {
    const load = loaders[name];
    if (!load) {
      const near = nearest(name, Object.keys(loaders));
      throw new CairnError('usage', `Expected a command (${Object.keys(loaders).join(', ')}), got "${name}".`, {
        hint: near ? `Did you mean \`cairn ${near}\`?` : 'Run `cairn --help`.',
      });
    }
    const command = await load();
    const args = parseCommand(command, rest);
    if (args.flag('help')) {
      process.stdout.write(`${commandHelp(command)}\n`);
      return 0;
    }
    const { store, replicas } = placeOf(args);
    const io = createIo({
      json: args.flag('json'),
      quiet: args.flag('quiet'),
      debug: args.flag('debug'),
      root: resolve(fileURLToPath(new URL('../..', import.meta.url))),
      dataDir: resolve(
        ('data' in command.options ? undefined : args.text('data')) ?? process.env['CAIRN_DATA'] ?? '.cairn',
      ),
      store,
      replicas,
      signal: controller.signal,
      now: Date.now,
      stdout: process.stdout,
      stderr: process.stderr,
      env: process.env,
    });
    const result = await command.run(args, io);
    if (args.flag('json')) io.print(JSON.stringify(result.value, null, 2));
    else if (result.text) io.print(result.text);
    return result.exitCode ?? 0;
  } catch (error) {
    if (json) {
      const body = CairnError.isInstance(error) ? error.toJSON() : { code: 'failed', message: errorText(error, false) };
      process.stdout.write(`${JSON.stringify({ error: body }, null, 2)}\n`);
    }
    process.stderr.write(`cairn: ${errorText(error, debug)}\n`);
    if (interrupts > 0) return 130;
    return CairnError.isInstance(error) && error.code === 'usage' ? 2 : 1;
  }
}

/** `--store` or CAIRN_STORE, and `--replicas`. */
function placeOf(args: Args): { store: readonly string[] | undefined; replicas: 1 | 2 | undefined } {
  const named = args.list('store');
  const fromEnv = process.env['CAIRN_STORE'];
  const store = named.length > 0 ? named : fromEnv ? [fromEnv] : undefined;
  const replicas = args.number('replicas', 1, 2);
  return { store, replicas: replicas === 1 || replicas === 2 ? replicas : undefined };
}

main(process.argv.slice(2)).then(
  (code) => {
    // Threads of a network runtime may keep the loop alive: leave once the streams are flushed.
    process.exitCode = code;
    process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
  },
  (error: unknown) => {
    process.stderr.write(`cairn: ${errorText(error, true)}\n`);
    process.exit(1);
  },
);
