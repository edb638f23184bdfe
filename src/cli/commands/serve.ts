// `cairn serve`: the local server with the studio. Prints the URL first, then opens the memory and the browser.
import { join, resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import { openBoards, openListener, openNotes } from '../../mind/index.ts';
import { createServer, Gateway, type Speed } from '../../serve/index.ts';
import { type Command, memoryOptions } from '../command.ts';
import { answersPath, gatewayStateOptions, openGatewayState } from '../gateway-state.ts';
import { mayOpenBrowser, openBrowser } from '../open-browser.ts';

export const serve: Command = {
  name: 'serve',
  about: 'Start the server and the studio on this machine (the default command).',
  usage: 'serve [--port N] [--no-open] [--run]',
  options: {
    ...memoryOptions,
    port: { type: 'number', about: 'port (default: the first free one from 4600; 0: any)' },
    host: { type: 'string', value: 'ADDRESS', about: 'address (default 127.0.0.1; any other needs --token)' },
    token: { type: 'string', value: 'TEXT', about: 'secret that every request must carry (or CAIRN_TOKEN)' },
    open: { type: 'boolean', about: 'open the browser (--no-open: do not)' },
    grow: { type: 'boolean', about: 'look for concepts, patterns and modules by itself (--no-grow: only when asked)' },
    config: {
      type: 'string',
      value: 'FILE',
      about: 'gateway configuration (default: cairn.json in the data directory, if there)',
    },
    ...gatewayStateOptions,
    run: { type: 'boolean', about: 'let boards arrive also while nobody watches' },
    speed: {
      type: 'string',
      value: 'N|max',
      about: 'pace of the boards: 1 is one in two seconds (default), max is no delay',
    },
    seed: { type: 'string', value: 'TEXT', about: 'seed of boards and of a new memory (default: cairn)' },
  },
  examples: ['cairn', 'cairn serve --port 8080 --no-open', 'cairn serve --config cairn.json'],
  async run(args, io) {
    const port = args.number('port', 0, 65_535);
    if (port !== undefined && !Number.isInteger(port)) {
      throw new CairnError('usage', `Expected a whole number for --port, got ${port}.`);
    }
    const token = args.text('token') ?? process.env['CAIRN_TOKEN'];
    const seed = args.text('seed');
    const speed = parseSpeed(args.text('speed'));
    const config = args.text('config');
    const gateway = await Gateway.open({
      configPath: resolve(config ?? join(io.dataDir, 'cairn.json')),
      configOptional: config === undefined,
      state: await openGatewayState(args, io),
      answersPath: answersPath(io),
      log: (line) => io.progress(`gateway: ${line}`),
    });
    const server = await createServer({
      gateway: async () => gateway,
      boards: () =>
        openBoards({
          ...io.place,
          ...(seed === undefined ? {} : { seed }),
          onProgress: (text) => io.progress(text),
        }),
      speech: () => openListener({ models: join(io.root, 'models') }),
      notes: () => openNotes({ ...io.place, ...(seed === undefined ? {} : { seed }) }),
      ...(port === undefined ? {} : { port }),
      ...(args.text('host') === undefined ? {} : { host: args.text('host')! }),
      ...(token === undefined ? {} : { token }),
      ...(seed === undefined ? {} : { seed }),
      ...(speed === undefined ? {} : { speed }),
      run: args.flag('run'),
      grow: !process.argv.includes('--no-grow'),
      onFault: (error, where) =>
        io.progress(`fault in ${where}: ${CairnError.isInstance(error) ? error.toText() : String(error)}`),
    });
    io.print(server.url);
    try {
      await server.ready;
      io.progress(`Ready: boards and memory in ${io.dataDir}. Ctrl-C stops.`);
      const wanted = !process.argv.includes('--no-open');
      if (mayOpenBrowser(wanted, process.env, Boolean(process.stdout.isTTY)))
        openBrowser(server.openUrl, process.platform);
      await new Promise<void>((resolve) => {
        if (io.signal.aborted) resolve();
        else io.signal.addEventListener('abort', () => resolve(), { once: true });
      });
    } finally {
      await server.close();
      // The server closes what somebody asked it for.
      await gateway.close();
    }
    return { value: { url: server.url }, text: '' };
  },
};

function parseSpeed(text: string | undefined): Speed | undefined {
  if (text === undefined || text === 'max') return text;
  const speed = Number(text);
  if (!(speed >= 0.1 && speed <= 32)) {
    throw new CairnError('usage', `Expected --speed from 0.1 to 32 or max, got "${text}".`);
  }
  return speed;
}
