// `cairn keys`: keys of clients of the gateway. A key is shown once; only its hash is kept.
import { CairnError } from '../../errors.ts';
import { ClientKeys, openAnswerTable } from '../../serve/index.ts';
import { type Command, memoryOptions } from '../command.ts';
import { answersPath, gatewayStateOptions, openGatewayState } from '../gateway-state.ts';
import { formatTable } from '../table.ts';

export const keys: Command = {
  name: 'keys',
  about: 'Make, list and drop keys of clients of the gateway.',
  usage: 'keys add NAME [--models a,b]   |   cairn keys list   |   cairn keys drop NAME',
  options: {
    ...gatewayStateOptions,
    store: memoryOptions['store']!,
    models: { type: 'string', value: 'LIST', about: 'models the key may use, by commas (default: all)' },
  },
  examples: ['cairn keys add alice', 'cairn keys add ci --models small'],
  async run(args, io) {
    const [what, name] = args.positionals;
    const state = await openGatewayState(args, io);
    try {
      const book = new ClientKeys(state, Date.now);
      if (what === 'list') {
        const all = await book.list();
        return {
          value: { keys: all },
          text:
            all.length === 0
              ? 'No keys. Make one: cairn keys add NAME'
              : formatTable(
                  ['name', 'models', 'made'],
                  all.map((k) => [k.name, k.models?.join(', ') ?? 'all', k.createdAt]),
                ),
        };
      }
      if (name === undefined || (what !== 'add' && what !== 'drop')) {
        throw new CairnError('usage', 'Expected add NAME, list or drop NAME.', { hint: 'Run `cairn keys --help`.' });
      }
      if (what === 'drop') {
        const answers = openAnswerTable(answersPath(io));
        await answers.drop({ key: name }).finally(() => answers.close());
        if (await book.drop(name)) return { value: { dropped: name }, text: `The key "${name}" works no longer.` };
        throw new CairnError('no_key', `Expected a key to drop, got none named "${name}".`, {
          hint: '`cairn keys list` shows them.',
        });
      }
      const models = args
        .text('models')
        ?.split(',')
        .map((m) => m.trim());
      const key = await book.add(name, models === undefined ? {} : { models });
      return { value: { name, key }, text: `${key}\nKeep it: it is not shown again.` };
    } finally {
      await state.close();
    }
  },
};
