// Starts the server on the fixture service, for work on the studio: `npx tsx test/_fixtures/serve.ts [port]`.
import { createServer } from '../../src/serve/index.ts';
import { createFixtureBoards } from './boards.ts';

const server = await createServer({
  boards: async () => createFixtureBoards({ startAt: 40, delayMs: 30 }),
  port: Number(process.argv[2] ?? 4700),
  onFault: (error, where) => console.error(where, error),
});
console.log(server.url);
await server.ready;
process.on('SIGINT', () => void server.close().then(() => process.exit(0)));
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)));
